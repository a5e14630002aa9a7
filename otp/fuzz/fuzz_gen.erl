%% Writes random Erlang modules for the differential fuzzer and compiles them.
%%
%% Every function ends: calls go to functions written earlier, loops count down, and each function has an estimate of
%% its cost that bounds what may be called in a loop. What could grow (accumulators, results of calls) passes through
%% fuzz_run:lim/1.
-module(fuzz_gen).
-export([main/1, text/3, options/1]).

-define(MAX_COST, 400).

%% main([Seed, First, Last, FunctionsPerModule, Folder]): modules fz_SEED_FIRST ... fz_SEED_LAST.
main(Words) ->
    [Seed, First, Last, Count] = [list_to_integer(W) || W <- lists:droplast(Words)],
    Folder = lists:last(Words),
    Refused = lists:append([make(Seed, I, Count, Folder) || I <- lists:seq(First, Last)]),
    [io:format("refused ~ts ~0tp~n", [N, Why]) || {N, Why} <- Refused],
    halt(0).

make(Seed, Index, Count, Folder) ->
    {Name, Text} = text(Seed, Index, Count),
    Path = filename:join(Folder, Name ++ ".erl"),
    ok = file:write_file(Path, Text),
    case compile:file(Path, [{outdir, Folder}, return_errors | options(Index)]) of
        {ok, _} -> [];
        Error -> [{Name, Error}]
    end.

%% Different passes of the compiler give different instructions.
options(Index) ->
    element(1 + Index rem 8, {[], [], [no_type_opt], [], [r23], [inline, {inline_size, 40}], [no_ssa_opt], [no_bool_opt, no_share_opt]}).

%% ------------------------------------------------------------------------------------------------ modules

%% vars: {Name, Type} in scope; funs: {Name, ArgTypes, Result, Cost} to be called; budget: cost that calls may add.
-record(g, {vars = [], funs = [], budget = ?MAX_COST}).

text(Seed, Index, Count) ->
    rand:seed(exsss, erlang:phash2({Seed, Index}, 1 bsl 32)),
    put(cost, 0),
    put(fresh, 0),
    Name = lists:flatten(io_lib:format("fz_~w_~w", [Seed, Index])),
    Functions = [{F, r(5) > 1} || F <- functions(Count, 1, #g{})],
    {Name, legal(Name, Functions)}.

functions(Count, I, _) when I > Count -> [];
functions(Count, I, G) ->
    {Text, New} = function("f" ++ integer_to_list(I), G),
    [{Text, New} | functions(Count, I + 1, G#g{funs = New ++ G#g.funs})].

%% The module without the functions that the linter refuses: some random expressions are no legal ones.
legal(Name, Functions) ->
    Text = module_text(Name, Functions),
    {Forms, _} = lists:unzip(forms(Text)),
    case erl_lint:module(Forms) of
        {ok, _} -> Text;
        {error, Errors, _} ->
            Lines = [Line || {_, Es} <- Errors, {{Line, _}, _, _} <- Es],
            Bad = [element(3, Form) || Line <- Lines, Form <- [lists:last([F || {F, First} <- forms(Text), First =< Line])]],
            Kept = [F || {{_, New}, _} = F <- Functions, not lists:any(fun({N, _, _, _}) -> named(N, Bad) end, New)],
            true = length(Kept) < length(Functions),
            legal(Name, Kept)
    end.

named(Name, Bad) -> lists:any(fun(B) -> B =:= list_to_atom(Name) orelse B =:= list_to_atom(Name ++ "b") end, Bad).

%% Abstract forms with their first lines.
forms(Text) ->
    {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Text), {1, 1}),
    [{Form, element(1, element(2, Form))} || Form <- split(Tokens, [])].

split([], []) -> [];
split([{dot, _} = Dot | Rest], Form) ->
    {ok, Parsed} = erl_parse:parse_form(lists:reverse([Dot | Form])),
    [Parsed | split(Rest, [])];
split([Token | Rest], Form) -> split(Rest, [Token | Form]).

module_text(Name, Functions) ->
    Run = lists:append([New || {{_, New}, true} <- Functions]),
    Table = lists:join(",\n    ", [io_lib:format("{~s,~w}", [F, Types]) || {F, Types, _, _} <- Run]),
    unicode:characters_to_binary(
        ["-module(", Name, ").\n-export([funs/0",
         [[", ", F, "/", integer_to_list(length(Ts))] || {F, Ts, _, _} <- Run],
         "]).\n-compile([nowarn_unused_function, nowarn_unused_vars]).\n-import(fuzz_run, [lim/1]).\n",
         "-record(r, {a = 1, b, c = []}).\n-record(s, {x, y = 2.5}).\n\nfuns() -> [\n    ", Table, "].\n\n", [T || {{T, _}, _} <- Functions]]).

function(Name, G0) ->
    put(cost, 1),
    Kind = pick([plain, plain, plain, loop, loop, body, list_walk, bytes, mutual]),
    Budget = case Kind of K when K =:= plain -> ?MAX_COST; _ -> ?MAX_COST div 20 end,
    G = G0#g{budget = Budget},
    Types = [arg_type() || _ <- lists:seq(1, pick([0, 1, 1, 2, 2, 2, 3, 3, 4, 5, 8]))],
    kind(Kind, Name, Types, pick([int, int, any, any, float, num, list, tuple, map, bin, bool]), G).

kind(plain, Name, Types, Result, G) ->
    Clauses = [clause(Name, Types, Result, G) || _ <- lists:seq(1, pick([1, 1, 1, 2, 3, 4]))],
    {[lists:join(";\n", Clauses), ".\n\n"], [{Name, Types, Result, cost()}]};
%% Counts down to a result.
kind(loop, Name, Types, Result, G0) ->
    G = bind(G0, Types),
    Vars = [V || {V, _} <- G#g.vars],
    {Stmts, G1} = statements(pick([0, 1, 1, 2]), G#g{vars = [{"N", int} | G#g.vars]}, 2),
    Again = [update(T, V, G1) || {V, T} <- G#g.vars],
    Extra = case r(4) of 1 -> [head(Name, ["N" | Vars]), " when N < ", integer_to_list(r(9)), ", ", guard(G1, 1), " ->\n    ",
        tail(Name, "N - 1", G#g.vars, G1), ";\n"]; _ -> [] end,
    Text = [head(Name, ["N" | Vars]), " when N < 1 ->\n    ", e(Result, G, 3), ";\n", Extra,
        head(Name, ["N" | Vars]), " ->\n    ", Stmts, loop_end(Name, Vars, Again, G1), ".\n\n"],
    {Text, [{Name, [cnt | Types], Result, 20 * cost()}]};
%% The result is made on the way back.
kind(body, Name, Types, Result, G0) ->
    G = bind(G0, Types),
    Vars = [V || {V, _} <- G#g.vars],
    G1 = G#g{vars = [{"N", int} | G#g.vars]},
    {Stmts, G2} = statements(pick([0, 1, 2, 3]), G1, 2),
    Again = [update(T, V, G2) || {V, T} <- G#g.vars],
    Call = [Name, "(", lists:join(", ", ["N - 1" | Again]), ")"],
    Step = case Result of
        list -> ["[", e(any, G2, 2), " | ", Call, "]"];
        int -> ["(", e(int, G2, 2), ") ", pick(["+", "-", "bxor"]), " ", Call];
        num -> [Call, " ", pick(["+", "-"]), " (", e(num, G2, 2), ")"];
        float -> [Call, " ", pick(["+", "-", "*"]), " (", e(float, G2, 2), ")"];
        tuple -> ["{", e(any, G2, 2), ", ", Call, "}"];
        _ -> ["Rec = lim(", Call, "),\n    ", e(Result, G2#g{vars = [{"Rec", Result} | G2#g.vars]}, 3)]
    end,
    Text = [head(Name, ["N" | Vars]), " when N < 1 ->\n    ", e(Result, G, 2), ";\n",
        head(Name, ["N" | Vars]), " ->\n    ", Stmts, Step, ".\n\n"],
    {Text, [{Name, [cnt | Types], Result, 20 * cost()}]};
kind(list_walk, Name, Types, Result, G0) ->
    G = bind(G0, Types),
    Vars = [V || {V, _} <- G#g.vars],
    G1 = G#g{vars = [{"H", any}, {"T", list} | G#g.vars]},
    Again = fun() -> ["T" | [update(T, V, G1) || {V, T} <- G#g.vars]] end,
    Walk = fun() -> [Name, "(", lists:join(", ", Again()), ")"] end,
    Step = case r(4) of
        1 -> ["[", e(any, G1, 2), " | lim(", Walk(), ")]"];
        2 -> ["{", e(any, G1, 2), ", lim(", Walk(), ")}"];
        _ -> Walk()
    end,
    Special = case r(2) of
        1 -> {P, Bound} = pattern(any, heads(G), 2),
            G2 = G#g{vars = Bound ++ [{"T", list} | G#g.vars]},
            [Name, "([", P, " | T]", [[", ", V] || V <- Vars], ") when ", guard(G2, 1), " ->\n    ", Walk(), ";\n"];
        2 -> []
    end,
    Text = [Name, "([]", [[", ", V] || V <- Vars], ") ->\n    ", e(Result, G, 3), ";\n", Special,
        Name, "([H | T]", [[", ", V] || V <- Vars], ") ->\n    ", Step, ".\n\n"],
    {Text, [{Name, [list | Types], Result, 10 * cost()}]};
kind(bytes, Name, Types, Result, G0) ->
    G = bind(G0, Types),
    Vars = [V || {V, _} <- G#g.vars],
    Rest = [[", ", V] || V <- Vars],
    Clauses = [begin
        {P, Bound} = pick_segments([field_at_least_8() | [matching_segment(heads(G)) || _ <- lists:seq(1, r(2) - 1)]]),
        G1 = G#g{vars = Bound ++ G#g.vars},
        Guard = case r(3) of 1 -> [" when ", guard(G1, 1)]; _ -> [] end,
        Tail = ["Rest" | [update(T, V, G1) || {V, T} <- G#g.vars]],
        Again = [Name, "(", lists:join(", ", Tail), ")"],
        Step = case r(4) of 1 -> ["[", e(any, G1, 2), " | lim(", Again, ")]"]; _ -> Again end,
        [Name, "(<<", P, ", Rest/", pick(["bits", "bits", "binary"]), ">>", Rest, ")", Guard, " ->\n    ", Step, ";\n"]
    end || _ <- lists:seq(1, r(3))],
    Text = [Clauses, Name, "(B", Rest, ") when is_bitstring(B) ->\n    ", e(Result, G#g{vars = [{"B", bin} | G#g.vars]}, 2), ".\n\n"],
    {Text, [{Name, [bin | Types], Result, 12 * cost()}]};
kind(mutual, Name, Types, Result, G0) ->
    Other = Name ++ "b",
    G = bind(G0, Types),
    Vars = [V || {V, _} <- G#g.vars],
    Half = fun(From, To) ->
        {Stmts, G1} = statements(pick([0, 1, 1]), G#g{vars = [{"N", int} | G#g.vars]}, 2),
        Again = [update(T, V, G1) || {V, T} <- G#g.vars],
        [head(From, ["N" | Vars]), " when N < 1 ->\n    ", e(Result, G, 2), ";\n",
         head(From, ["N" | Vars]), " ->\n    ", Stmts, loop_end(To, Vars, Again, G1), ".\n\n"]
    end,
    Text = [Half(Name, Other), Half(Other, Name)],
    {Text, [{Name, [cnt | Types], Result, 20 * cost()}]}.

%% In a head that binds anew no variable stands for its value.
heads(G) -> G#g{vars = []}.

cost() -> get(cost).

head(Name, Vars) -> [Name, "(", lists:join(", ", Vars), ")"].
tail(Name, First, Vars, G) -> [Name, "(", lists:join(", ", [First | [update(T, V, G) || {V, T} <- Vars]]), ")"].

loop_end(Name, Vars, Again, G) ->
    Call = [Name, "(", lists:join(", ", ["N - 1" | Again]), ")"],
    case r(6) of
        1 -> ["case ", e(any, G, 2), " of\n        ", element(1, pattern(any, G, 1)), " -> ", Call, ";\n        _ -> ",
              Name, "(", lists:join(", ", ["N - 1" | Vars]), ")\n    end"];
        2 -> ["if ", guard(G, 2), " -> ", Call, ";\n       true -> ", Name, "(", lists:join(", ", ["N - 2" | Vars]), ")\n    end"];
        _ -> Call
    end.

%% New value of an accumulator; it may not explode over the iterations.
update(_, V, _) when V =:= "N" -> "N - 1";
update(int, V, G) ->
    case r(6) of
        1 -> [V, " + ", small(G)];
        2 -> [V, " - ", small(G)];
        3 -> ["(", e(int, G, 2), ") band 16#", pick(["FFFF", "FFFFFFFF", "7FFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFF"])];
        4 -> ["(", V, " * 31 + ", small(G), ") rem 1000003"];
        5 -> V;
        6 -> ["lim(", e(int, G, 3), ")"]
    end;
update(float, V, G) ->
    case r(3) of
        1 -> [V, pick([" * 1.25", " + 0.5", " / 3", " - 1", " * 1.0e50", " + 1"])];
        2 -> e(float, G, 2);
        3 -> V
    end;
update(T, V, G) ->
    case r(3) of
        1 -> V;
        _ -> ["lim(", e(T, G, 2), ")"]
    end.

small(G) ->
    case [V || {V, int} <- G#g.vars] of
        [] -> integer_to_list(r(100));
        Vs -> pick([integer_to_list(r(100)), ["(", pick(Vs), " band 255)"], pick(Vs), "576460752303423487"])
    end.

clause(Name, Types, Result, G0) ->
    {Patterns, Bound} = patterns([case r(3) of 1 -> {T, 2}; _ -> {T, 0} end || T <- Types], heads(G0)),
    G = G0#g{vars = Bound},
    Guard = case r(3) of 1 -> [" when ", guard(G, 2)]; _ -> [] end,
    [Name, "(", lists:join(", ", Patterns), ")", Guard, " ->\n    ", body(Result, G, 4)].

patterns(Types, G) ->
    {Ps, Vs} = lists:unzip([pattern(T, G, D) || {T, D} <- Types]),
    {Ps, lists:append(Vs)}.

bind(G, Types) ->
    G#g{vars = [{"A" ++ integer_to_list(I), T} || {I, T} <- lists:zip(lists:seq(1, length(Types)), Types)]}.

%% ------------------------------------------------------------------------------------------------ statements

body(T, G, D) ->
    {Stmts, G1} = statements(pick([0, 0, 1, 1, 2, 3, 5]), G, D - 1),
    [Stmts, e(T, G1, D)].

statements(0, G, _) -> {[], G};
statements(N, G, D) ->
    {Text, G1} = statement(G, D),
    {More, G2} = statements(N - 1, G1, D),
    {[Text, ",\n    ", More], G2}.

statement(G, D) ->
    case r(12) of
        1 -> {["put(", key(), ", ", e(any, G, D), ")"], G};
        2 -> {["self() ! ", message(G, D)], G};
        3 ->
            T = type(),
            {P, Bound} = pattern(T, G, 2),
            {[P, " = ", e(T, G, D)], G#g{vars = Bound ++ G#g.vars}};
        4 -> {e(any, G, D), G};
        _ ->
            T = type(),
            V = fresh(),
            {[V, " = ", e(T, G, D)], G#g{vars = [{V, T} | G#g.vars]}}
    end.

message(G, D) -> ["{", pick(["a", "b", "msg"]), ", ", e(any, G, D - 1), "}"].
key() -> pick(["k1", "k2", "{k, 3}", "4"]).

%% ------------------------------------------------------------------------------------------------ expressions

e(T, G, D) when D =< 0 -> leaf(T, G);
e(T, G, D) ->
    case r(100) of
        X when X =< 14 -> leaf(T, G);
        X when X =< 17 -> e(type(), G, D - 1);
        X when X =< 34 -> compound(T, G, D);
        X when X =< 42 -> call(T, G, D);
        _ -> typed(T, G, D)
    end.

leaf(T, G) ->
    Same = [V || {V, VT} <- G#g.vars, VT =:= T orelse T =:= any orelse (T =:= num andalso (VT =:= int orelse VT =:= float))],
    case Same of
        [_ | _] -> case r(4) of 1 -> constant(T); _ -> pick(Same) end;
        [] -> case r(12) of 1 when G#g.vars =/= [] -> element(1, pick(G#g.vars)); _ -> constant(T) end
    end.

constant(int) ->
    case r(8) of
        1 -> pick(["576460752303423487", "-576460752303423488", "576460752303423488", "-576460752303423489",
            "18446744073709551615", "18446744073709551616", "9223372036854775807", "-9223372036854775808",
            "1267650600228229401496703205376", "-1267650600228229401496703205377", "16#7FFFFFFF", "4294967296"]);
        2 -> integer_to_list(r(100000) - 50000);
        _ -> integer_to_list(r(20) - 5)
    end;
constant(float) -> pick(["0.0", "-0.0", "1.0", "-2.5", "3.0", "1.0e308", "-1.7e308", "1.0e-310", "0.1", "576460752303423488.0", "1.0e22", "123456.789"]);
constant(num) -> constant(pick([int, float]));
constant(atom) -> pick(["a", "b", "c", "true", "false", "undefined", "ok", "error", "[]"]);
constant(bool) -> pick(["true", "false"]);
constant(list) -> pick(["[]", "[1, 2, 3]", "\"abc\"", "[a, {b, 1}, 2.0]", "[[], [1]]", "[1 | 2]", "[{a, 1}, {b, 2}, {c, 3}]"]);
constant(tuple) -> pick(["{}", "{1}", "{a, 1}", "{r, 1, 2, 3}", "{s, x, 1}", "{1, {2, 3}, [4]}", "#r{}", "#s{}", "{ok, <<1,2>>}"]);
constant(map) -> pick(["#{}", "#{a => 1}", "#{a => 1, b => 2.0, c => []}", "#{1 => a, 2 => b}", "#{1.0 => x, 1 => y, {a} => z}", "#{<<\"k\">> => 1, \"k\" => 2}",
    "maps:from_list([{I, I * I} || I <- lists:seq(1, 40)])"]);
constant(bin) -> pick(["<<>>", "<<1, 2, 3>>", "<<\"hello\">>", "<<5:3>>", "<<255, 254, 1:7>>", "<<\"åäö€\"/utf8>>", "<<0:800>>", "<<1.5/float>>",
    "<<1:16, 2:32/little, -3:24/signed>>", "<<\"0123456789012345678901234567890123456789012345678901234567890123456789\">>"]);
constant(fn) -> pick(["fun(_) -> 1 end", "fun lists:reverse/1", "fun(X0) -> X0 end", "fun(X0) -> {X0, X0} end"]);
constant(any) -> constant(type()).

typed(int, G, D) ->
    E = fun() -> e(int, G, D - 1) end,
    case r(30) of
        X when X =< 6 -> ["(", E(), pick([" + ", " - "]), E(), ")"];
        X when X =< 8 -> ["(", E(), " * ", E(), ")"];
        X when X =< 10 -> ["(", E(), pick([" div ", " rem "]), E(), ")"];
        X when X =< 13 -> ["(", E(), pick([" band ", " bor ", " bxor "]), E(), ")"];
        14 -> ["(", E(), " bsl (", E(), " band 63))"];
        15 -> ["(", E(), " bsl (", E(), " rem 70))"];
        16 -> ["(", E(), " bsr ", E(), ")"];
        17 -> ["(bnot ", E(), ")"];
        18 -> ["(- ", E(), ")"];
        19 -> ["abs(", E(), ")"];
        20 -> [pick(["length", "hd"]), "(", e(list, G, D - 1), ")"];
        21 -> [pick(["tuple_size", "size"]), "(", e(tuple, G, D - 1), ")"];
        22 -> [pick(["byte_size", "bit_size", "size"]), "(", e(bin, G, D - 1), ")"];
        23 -> ["map_size(", e(map, G, D - 1), ")"];
        24 -> [pick(["trunc", "round", "floor", "ceil"]), "(", e(num, G, D - 1), ")"];
        25 -> [pick(["min", "max"]), "(", E(), ", ", E(), ")"];
        26 -> ["element(", integer_to_list(r(4)), ", ", e(tuple, G, D - 1), ")"];
        27 -> ["(", E(), " rem ", pick(["7", "1000003", "16", "-3", "4294967296"]), ")"];
        28 -> ["(", E(), pick([" + 1", " - 1", " * 2", " div 2", " bsl 1", " bsr 3", " band 15", " + 576460752303423487"]), ")"];
        29 -> ["list_to_integer(integer_to_list(", E(), "))"];
        30 -> ["lists:sum(", e(list, G, D - 1), ")"]
    end;
typed(float, G, D) ->
    case r(12) of
        X when X =< 5 -> ["(", e(float, G, D - 1), pick([" + ", " - ", " * ", " / "]), e(float, G, D - 1), ")"];
        6 -> ["(", e(num, G, D - 1), pick([" + ", " - ", " * ", " / "]), e(float, G, D - 1), ")"];
        7 -> ["(", e(int, G, D - 1), " / ", e(int, G, D - 1), ")"];
        8 -> ["float(", e(num, G, D - 1), ")"];
        9 -> ["math:sqrt(abs(", e(float, G, D - 1), "))"];
        10 -> ["(- ", e(float, G, D - 1), ")"];
        11 -> [pick(["math:floor", "math:ceil", "abs"]), "(", e(float, G, D - 1), ")"];
        12 -> ["(", e(float, G, D - 1), pick([" * 2.0", " + 1", " / 3.0", " - 0.1", " * -1"]), ")"]
    end;
typed(num, G, D) ->
    case r(3) of
        1 -> typed(int, G, D);
        2 -> typed(float, G, D);
        3 -> ["(", e(num, G, D - 1), pick([" + ", " - ", " * ", " / "]), e(num, G, D - 1), ")"]
    end;
typed(atom, G, D) ->
    case r(3) of
        1 -> ["element(1, ", e(tuple, G, D - 1), ")"];
        2 -> ["list_to_atom(atom_to_list(", e(atom, G, D - 1), "))"];
        3 -> typed(bool, G, D)
    end;
typed(bool, G, D) ->
    case r(8) of
        X when X =< 3 -> ["(", e(any, G, D - 1), comparison(), e(any, G, D - 1), ")"];
        4 -> T = pick([int, num, float]), ["(", e(T, G, D - 1), comparison(), e(T, G, D - 1), ")"];
        5 -> [type_test(), "(", e(any, G, D - 1), ")"];
        6 -> ["(", e(bool, G, D - 1), pick([" and ", " or ", " xor ", " andalso ", " orelse "]), e(bool, G, D - 1), ")"];
        7 -> ["(not ", e(bool, G, D - 1), ")"];
        8 -> pick([["is_map_key(", e(any, G, D - 1), ", ", e(map, G, D - 1), ")"], ["lists:member(", e(any, G, D - 1), ", ", e(list, G, D - 1), ")"],
            ["is_function(", e(fn, G, D - 1), ", ", e(int, G, D - 1), ")"], ["is_record(", e(tuple, G, D - 1), ", r)"]])
    end;
typed(list, G, D) ->
    case r(14) of
        X when X =< 3 -> ["[", lists:join(", ", [e(any, G, D - 1) || _ <- lists:seq(1, r(4))]), "]"];
        X when X =< 5 -> ["[", e(any, G, D - 1), " | ", e(list, G, D - 1), "]"];
        6 -> ["tl(", e(list, G, D - 1), ")"];
        7 -> ["(", e(list, G, D - 1), pick([" ++ ", " -- "]), e(list, G, D - 1), ")"];
        8 -> ["lists:reverse(", e(list, G, D - 1), ")"];
        9 -> ["tuple_to_list(", e(tuple, G, D - 1), ")"];
        10 -> ["lists:seq(1, ", e(int, G, D - 1), " band 7)"];
        11 -> [pick(["binary_to_list", "bitstring_to_list"]), "(", e(bin, G, D - 1), ")"];
        12 -> ["lists:map(", function_of(1, G, D), ", ", e(list, G, D - 1), ")"];
        _ -> ["[", comprehension(any, G, D), "]"]
    end;
typed(tuple, G, D) ->
    E = fun() -> e(any, G, D - 1) end,
    case r(10) of
        X when X =< 3 -> ["{", lists:join(", ", [E() || _ <- lists:seq(1, r(5) - 1)]), "}"];
        4 -> ["setelement(", pick(["1", "2", "3", e(int, G, D - 2)]), ", ", e(tuple, G, D - 1), ", ", E(), ")"];
        5 -> ["list_to_tuple(", e(list, G, D - 1), ")"];
        6 -> ["#r{a = ", E(), ", ", pick(["b", "c"]), " = ", E(), "}"];
        7 -> ["(", e(tuple, G, D - 1), ")#r{", pick(["a", "b", "c"]), " = ", E(), "}"];
        8 -> ["#s{x = ", E(), "}"];
        9 -> ["{", E(), ", (", e(tuple, G, D - 1), ")#r.", pick(["a", "b", "c"]), "}"];
        10 -> ["erlang:append_element(", e(tuple, G, D - 1), ", ", E(), ")"]
    end;
typed(map, G, D) ->
    E = fun() -> e(any, G, D - 1) end,
    case r(8) of
        X when X =< 2 -> ["#{", lists:join(", ", [[map_key(G), " => ", E()] || _ <- lists:seq(1, r(4))]), "}"];
        X when X =< 4 -> ["(", e(map, G, D - 1), ")#{", lists:join(", ", [[map_key(G), " => ", E()] || _ <- lists:seq(1, r(3))]), "}"];
        5 -> ["(", e(map, G, D - 1), ")#{", map_key(G), " := ", E(), "}"];
        6 -> ["maps:", pick(["put", "update"]), "(", map_key(G), ", ", E(), ", ", e(map, G, D - 1), ")"];
        7 -> ["maps:remove(", map_key(G), ", ", e(map, G, D - 1), ")"];
        8 -> ["maps:merge(", e(map, G, D - 1), ", ", e(map, G, D - 1), ")"]
    end;
typed(bin, G, D) ->
    case r(8) of
        X when X =< 4 -> ["<<", lists:join(", ", [segment(G, D - 1) || _ <- lists:seq(1, r(4))]), ">>"];
        5 -> ["<<", comprehension_of_bits(G, D), ">>"];
        6 ->
            %% The bytes of a fun hold a pid.
            {Start, End} = pick([{"integer_to_binary(", ")"}, {"term_to_binary(fuzz_run:plain(", ", 100))"}]),
            [Start, e(int, G, D - 1), End];
        7 -> ["binary_part(", e(bin, G, D - 1), ", ", e(int, G, D - 2), ", ", e(int, G, D - 2), ")"];
        8 -> ["list_to_binary([X band 255 || X <- ", e(list, G, D - 1), "])"]
    end;
typed(fn, G, D) -> function_of(pick([1, 1, 2]), G, D);
typed(any, G, D) ->
    case r(14) of
        1 -> ["get(", key(), ")"];
        2 -> ["erase(", key(), ")"];
        3 -> ["put(", key(), ", ", e(any, G, D - 1), ")"];
        4 -> ["element(", e(int, G, D - 2), ", ", e(tuple, G, D - 1), ")"];
        5 -> ["hd(", e(list, G, D - 1), ")"];
        6 -> ["maps:get(", map_key(G), ", ", e(map, G, D - 1), pick([")", ", none)"])];
        7 -> ["(", e(tuple, G, D - 1), ")#r.", pick(["a", "b", "c"])];
        8 -> ["apply(", e(fn, G, D - 1), ", [", e(any, G, D - 1), "])"];
        9 -> ["(", e(fn, G, D - 1), ")(", e(any, G, D - 1), ")"];
        10 -> ["lists:foldl(", function_of(2, G, D), ", ", e(any, G, D - 1), ", ", e(list, G, D - 1), ")"];
        11 -> ["apply(fuzz_run, ", pick(["lim", "frames", "nosuch"]), ", ", e(list, G, D - 1), ")"];
        _ -> typed(type(), G, D)
    end.

comparison() -> pick([" == ", " /= ", " =:= ", " =/= ", " < ", " =< ", " > ", " >= "]).
type_test() -> pick(["is_integer", "is_float", "is_number", "is_atom", "is_boolean", "is_list", "is_tuple", "is_map", "is_binary", "is_bitstring", "is_function", "is_pid", "is_reference"]).
map_key(G) ->
    case r(3) of
        1 -> leaf(any, G);
        _ -> pick(["a", "b", "c", "1", "2", "1.0", "<<\"k\">>", "\"k\"", "{a}", "17"])
    end.

function_of(Arity, G, D) ->
    Args = [{fresh(), any} || _ <- lists:seq(1, Arity)],
    G1 = G#g{vars = Args ++ G#g.vars, budget = G#g.budget div 5},
    case r(3) of
        1 ->
            {P, Bound} = pattern(any, heads(G), 2),
            Rest = [V || {V, _} <- tl(Args)],
            G2 = G1#g{vars = Bound ++ tl(Args) ++ G#g.vars},
            ["fun(", lists:join(", ", [P | Rest]), ") when ", guard(G2, 1), " -> ", body(any, G2, D - 1),
             "; (", lists:join(", ", lists:duplicate(Arity, "_")), ") -> ", e(any, G#g{budget = 0}, D - 2), " end"];
        _ -> ["fun(", lists:join(", ", [V || {V, _} <- Args]), ") -> lim(", e(any, G1, D - 1), ") end"]
    end.

%% A call of an earlier function.
call(T, G, D) ->
    case [F || {_, _, _, Cost} = F <- G#g.funs, Cost =< G#g.budget] of
        [] -> typed(T, G, D);
        Funs ->
            Fit = [F || {_, _, R, _} = F <- Funs, R =:= T],
            {Name, Types, _, Cost} = pick(case Fit of [] -> Funs; _ -> Fit end),
            case cost() + Cost > ?MAX_COST of
                true -> typed(T, G, D);
                false ->
                    put(cost, cost() + Cost),
                    Args = [argument(A, G, D) || A <- Types],
                    case r(8) of
                        1 -> F = fresh(), ["begin ", F, " = fun ", Name, "/", integer_to_list(length(Types)), ", lim(", F, "(", lists:join(", ", Args), ")) end"];
                        _ -> ["lim(", Name, "(", lists:join(", ", Args), "))"]
                    end
            end
    end.

argument(cnt, G, D) -> case r(2) of 1 -> integer_to_list(r(12)); 2 -> ["(", e(int, G, D - 2), ") rem 12"] end;
argument(T, G, D) -> e(T, G, D - 1).

comprehension(T, G, D) ->
    V = fresh(),
    G1 = G#g{vars = [{V, any} | G#g.vars], budget = G#g.budget div 10},
    Filter = case r(3) of 1 -> [", ", guard(G1, 1)]; 2 -> [", ", e(bool, G1, D - 2)]; 3 -> [] end,
    case r(5) of
        1 ->
            {P, Bound} = pattern(any, heads(G), 2),
            G2 = G1#g{vars = Bound ++ G#g.vars},
            [e(T, G2, D - 1), " || ", P, " <- ", e(list, G, D - 1)];
        2 -> [e(T, G1#g{vars = [{V, int} | G#g.vars]}, D - 1), " || <<", V, ":", pick(["8", "4", "16", "11"]), ">> <= ", e(bin, G, D - 1)];
        3 ->
            W = fresh(),
            G2 = G1#g{vars = [{W, int} | G1#g.vars]},
            [e(T, G2, D - 2), " || ", V, " <- ", e(list, G, D - 2), ", ", W, " <- lists:seq(1, 3)", Filter];
        _ -> [e(T, G1, D - 1), " || ", V, " <- ", e(list, G, D - 1), Filter]
    end.

comprehension_of_bits(G, D) ->
    V = fresh(),
    G1 = G#g{vars = [{V, int} | G#g.vars], budget = G#g.budget div 10},
    Value = ["<<", segment(G1, D - 2), ">>"],
    pick([[Value, " || ", V, " <- lists:seq(1, 4)"], [Value, " || <<", V, ">> <= ", e(bin, G, D - 1)], ["<<", V, ":16>> || <<", V, ":8/signed>> <= ", e(bin, G, D - 1)]]).

%% A segment of a construction.
segment(G, D) ->
    case r(10) of
        X when X =< 4 -> ["(", e(int, G, D), ")", pick(["", ":8", ":16", ":3", ":24/little", ":32/signed", ":64", ":13/little", ":100", ":5/unit:3", ":0"])];
        5 -> ["(", e(int, G, D), "):(", e(int, G, D - 1), " band 63)", pick(["", "/little"])];
        6 -> ["(", e(num, G, D), ")", pick(["/float", ":32/float", ":64/float-little", ":16/float"])];
        7 -> ["(", e(bin, G, D), ")/", pick(["binary", "bitstring", "bits"])];
        8 -> ["(", e(bin, G, D), "):", pick(["1", "2", "3"]), "/", pick(["binary", "bits"])];
        9 -> ["(", e(int, G, D), " band 16#FFFF)/", pick(["utf8", "utf16", "utf32", "utf16-little"])];
        10 -> pick(["\"str\"", "\"é\"/utf8", "0:7", "1, 2, 3", "1.5/float"])
    end.

compound(T, G, D) ->
    E = fun() -> e(T, G, D - 1) end,
    case r(16) of
        X when X =< 5 ->
            S = type(),
            Clauses = [case_clause(S, T, G, D) || _ <- lists:seq(1, pick([1, 2, 2, 3, 5]))],
            Default = case r(5) of 1 -> []; _ -> [["_ ->\n        ", E()]] end,
            ["case ", e(S, G, D - 1), " of\n    ", lists:join(";\n    ", Clauses ++ Default), "\n    end"];
        6 -> ["if ", guard(G, 2), " -> ", E(), "; ", guard(G, 1), " -> ", E(), pick(["", ["; true -> ", E()]]), " end"];
        7 -> select(T, G, D);
        8 -> V = fresh(), S = type(), ["begin ", V, " = ", e(S, G, D - 1), ",\n    ", e(T, G#g{vars = [{V, S} | G#g.vars]}, D - 1), " end"];
        9 -> ["(catch ", E(), ")"];
        X when X =< 12 -> try_catch(T, G, D);
        13 -> receive_own(T, G, D);
        14 -> pick([["throw(", e(any, G, D - 1), ")"], ["error(", e(any, G, D - 1), ")"], ["exit(", e(any, G, D - 1), ")"],
            ["error(", e(any, G, D - 2), ", [", e(any, G, D - 2), "])"], E()]);
        15 ->
            F = fresh(), A = fresh(),
            G1 = G#g{vars = [{A, any} | G#g.vars], budget = G#g.budget div 2},
            ["begin ", F, " = fun(", A, ") -> ", e(T, G1, D - 1), " end,\n    ", F, "(", e(any, G, D - 2), ") end"];
        16 -> ["case ", e(bool, G, D - 1), " of true -> ", E(), "; false -> ", E(), " end"]
    end.

case_clause(S, T, G, D) ->
    {P, Bound} = pattern(S, G, 3),
    G1 = G#g{vars = Bound ++ G#g.vars},
    Guard = case r(3) of 1 -> [" when ", guard(G1, 2)]; _ -> [] end,
    [P, Guard, " ->\n        ", body(T, G1, D - 1)].

%% Many values of one kind.
select(T, G, D) ->
    {Subject, Values} = pick([
        {["(", e(int, G, D - 1), ") band 15"], [integer_to_list(I) || I <- lists:seq(0, 14)]},
        {e(int, G, D - 1), ["0", "1", "2", "3", "100", "-7", "576460752303423487", "576460752303423488", "1267650600228229401496703205376"]},
        {e(atom, G, D - 1), ["a", "b", "c", "true", "false", "ok", "error", "undefined"]},
        {e(float, G, D - 1), ["0.0", "1.0", "-2.5", "1.0e22"]},
        {e(tuple, G, D - 1), ["{}", "{_}", "{_, _}", "{_, _, _}", "{_, _, _, _}"]},
        {e(any, G, D - 1), ["1", "a", "{}", "[]", "<<>>", "2.5", "\"abc\"", "#{a := 1}"]}]),
    Clauses = [[V, " -> ", case r(3) of 1 -> e(T, G, D - 2); _ -> constant(T) end] || V <- Values, r(5) > 1],
    ["case ", Subject, " of\n    ", lists:join(";\n    ", Clauses ++ [["_ -> ", e(T, G, D - 1)]]), "\n    end"].

try_catch(T, G, D) ->
    [C, R, S] = [fresh(), fresh(), fresh()],
    G1 = G#g{vars = [{R, any} | G#g.vars]},
    G2 = G1#g{vars = [{C, atom} | G1#g.vars]},
    Of = case r(4) of
        1 -> V = fresh(), [" of\n    ", V, " when ", guard(G#g{vars = [{V, any} | G#g.vars]}, 1), " -> ", e(T, G#g{vars = [{V, any} | G#g.vars]}, D - 1), ";\n    _ -> ", e(T, G, D - 2)];
        _ -> []
    end,
    Handler = pick([
        ["error:", R, " -> ", e(T, G1, D - 1)],
        ["throw:", R, " -> ", e(T, G1, D - 1), ";\n    _:_ -> ", e(T, G, D - 2)],
        [C, ":", R, " -> {", C, ", ", R, ", ", e(T, G2, D - 1), "}"],
        [C, ":", R, ":", S, " -> {", C, ", ", R, ", fuzz_run:frames(", S, ")}"],
        [C, ":", R, ":", S, " when ", R, " =/= function_clause -> erlang:raise(", C, ", {again, ", R, "}, ", S, ")"],
        ["error:badarith -> ", e(T, G, D - 1), ";\n    error:{badmatch, ", R, "} -> {m, ", R, "};\n    ", C, ":function_clause -> ", C]]),
    After = case r(4) of 1 -> ["\n    after put(", key(), ", ", e(any, G, D - 2), ")"]; _ -> [] end,
    ["try\n    ", body(T, G, D - 1), Of, "\n    catch ", Handler, After, "\n    end"].

receive_own(T, G, D) ->
    V = fresh(),
    G1 = G#g{vars = [{V, any} | G#g.vars]},
    case r(4) of
        1 ->
            R = fresh(),
            ["begin ", R, " = make_ref(), self() ! {", R, ", ", e(any, G, D - 1), "},\n    receive {", R, ", ", V, "} -> ", e(T, G1, D - 1), " end end"];
        2 -> ["begin self() ! ", message(G, D), ",\n    receive {a, ", V, "} -> ", e(T, G1, D - 1), "; {b, ", V, "} -> ", e(T, G1, D - 2), " after 0 -> ", e(T, G, D - 2), " end end"];
        3 -> ["receive {_, ", V, "} when ", guard(G1, 1), " -> ", e(T, G1, D - 1), " after 0 -> ", e(T, G, D - 2), " end"];
        4 -> ["receive after ", pick(["0", "1"]), " -> ", e(T, G, D - 1), " end"]
    end.

%% ------------------------------------------------------------------------------------------------ guards

guard(G, D) ->
    case r(8) of
        1 when D > 0 -> ["(", guard(G, D - 1), pick([" andalso ", " orelse ", " and ", " or ", " xor "]), guard(G, D - 1), ")"];
        2 when D > 0 -> ["not ", guard(G, D - 1)];
        3 -> [type_test(), "(", leaf_value(any, G), ")"];
        4 -> ["(", guard_value(any, G, D), comparison(), guard_value(any, G, D), ")"];
        5 -> ["is_map_key(", leaf_value(any, G), ", ", leaf_no_call(map, G), ")"];
        6 -> ["is_function(", leaf_no_call(fn, G), ", 1)"];
        _ -> T = pick([int, num, float]), ["(", guard_value(T, G, D), comparison(), guard_value(T, G, D), ")"]
    end.

%% Constants of some types are no guard expressions.
leaf_no_call(T, G) ->
    case [V || {V, VT} <- G#g.vars, VT =:= T orelse VT =:= any] of
        [] -> case G#g.vars of [] -> "1"; Vs -> element(1, pick(Vs)) end;
        Vs -> pick(Vs)
    end.

guard_value(int, G, D) when D > 0 ->
    case r(9) of
        1 -> [pick(["length", "hd"]), "(", leaf_no_call(list, G), ")"];
        2 -> ["tuple_size(", leaf_no_call(tuple, G), ")"];
        3 -> [pick(["byte_size", "bit_size", "size"]), "(", leaf_no_call(bin, G), ")"];
        4 -> ["map_size(", leaf_no_call(map, G), ")"];
        5 -> [pick(["abs", "trunc", "round", "floor", "ceil"]), "(", leaf_no_call(num, G), ")"];
        6 -> ["(", guard_value(int, G, D - 1), pick([" + ", " - ", " * ", " div ", " rem ", " band ", " bor ", " bxor ", " bsr "]), guard_value(int, G, D - 1), ")"];
        7 -> ["element(", integer_to_list(r(3)), ", ", leaf_no_call(tuple, G), ")"];
        _ -> leaf_value(int, G)
    end;
guard_value(float, G, D) when D > 0 ->
    case r(3) of
        1 -> ["(", guard_value(num, G, D - 1), pick([" + ", " - ", " * ", " / "]), guard_value(float, G, D - 1), ")"];
        2 -> ["float(", leaf_no_call(num, G), ")"];
        3 -> leaf_value(float, G)
    end;
guard_value(any, G, D) when D > 0 ->
    case r(6) of
        1 -> ["map_get(", leaf_value(any, G), ", ", leaf_no_call(map, G), ")"];
        2 -> [pick(["hd", "tl"]), "(", leaf_no_call(list, G), ")"];
        3 -> ["element(", leaf_no_call(int, G), ", ", leaf_no_call(tuple, G), ")"];
        4 -> ["{", leaf_value(any, G), ", ", leaf_value(any, G), "}"];
        _ -> leaf_value(any, G)
    end;
guard_value(T, G, _) -> leaf_value(T, G).

leaf_value(T, G) ->
    case r(3) of
        1 -> constant(case T of num -> int; any -> pick([int, float, atom, list, tuple]); _ -> T end);
        _ -> leaf_no_call(T, G)
    end.

%% ------------------------------------------------------------------------------------------------ patterns

%% {Text, variables bound}
pattern(T, _, D) when D =< 0 -> V = fresh(), {V, [{V, T}]};
pattern(T, G, D) ->
    case r(8) of
        1 -> {"_", []};
        2 -> V = fresh(), {V, [{V, T}]};
        3 -> {simple_constant(T), []};
        4 when G#g.vars =/= [] -> {element(1, pick(G#g.vars)), []};
        5 -> V = fresh(), {P, Bound} = shaped(T, G, D), {[P, " = ", V], [{V, T} | Bound]};
        _ -> shaped(T, G, D)
    end.

simple_constant(T) ->
    case T of
        any -> simple_constant(pick([int, atom, float, list, tuple]));
        map -> "#{a := 1}";
        bin -> pick(["<<>>", "<<1, 2, 3>>", "<<\"hello\">>"]);
        fn -> "_";
        num -> constant(int);
        _ -> constant(T)
    end.

shaped(list, G, D) ->
    case r(4) of
        1 -> {P, Bound} = pattern(any, G, D - 1), {["[", P, "]"], Bound};
        2 -> {[P, Q], Bound} = patterns([{any, D - 1}, {any, D - 1}], G), {["[", P, ", ", Q, " | _]"], Bound};
        3 -> V = fresh(), {["[", V, ", ", V, " | _]"], [{V, any}]};
        4 -> {[P, Q], Bound} = patterns([{any, D - 1}, {list, D - 2}], G), {["[", P, " | ", Q, "]"], Bound}
    end;
shaped(tuple, G, D) ->
    case r(6) of
        1 -> {P, Bound} = pattern(any, G, D - 1), {["#r{", pick(["a", "b", "c"]), " = ", P, "}"], Bound};
        2 -> V = fresh(), {["{", V, ", ", V, "}"], [{V, any}]};
        3 -> {P, Bound} = pattern(any, G, D - 1), {["#s{x = ", P, "}"], Bound};
        _ -> {Ps, Bound} = patterns([{type(), D - 1} || _ <- lists:seq(1, r(4))], G), {["{", lists:join(", ", Ps), "}"], Bound}
    end;
shaped(map, G, D) ->
    {Ps, Bound} = patterns([{any, D - 1} || _ <- lists:seq(1, r(3))], G),
    Keys = shuffle(["a", "b", "1", "1.0", "<<\"k\">>", "{a}", "17"] ++ [V || {V, _} <- G#g.vars]),
    {["#{", lists:join(", ", [[K, " := ", P] || {K, P} <- lists:zip(lists:sublist(Keys, length(Ps)), Ps)]), "}"], Bound};
shaped(bin, G, _) ->
    {P, Bound} = pick_segments([matching_segment(G) || _ <- lists:seq(1, r(3))]),
    case r(3) of
        1 -> {["<<", P, ">>"], Bound};
        _ -> V = fresh(), {["<<", P, ", ", V, "/", pick(["binary", "bits"]), ">>"], [{V, bin} | Bound]}
    end;
shaped(any, G, D) -> shaped(pick([list, tuple, tuple, map, bin, int]), G, D);
shaped(fn, _, _) -> V = fresh(), {V, [{V, fn}]};
shaped(T, _, _) -> {simple_constant(T), []}.

pick_segments(Segments) ->
    {Texts, Bound} = lists:unzip(Segments),
    {lists:join(", ", Texts), lists:append(Bound)}.

field_at_least_8() ->
    V = fresh(),
    {[V, pick(["", ":8", ":16", ":12", ":32/little", ":24/signed", "/utf8", ":64/float", ":1/binary", ":9", ":64", ":72"])], [{V, int}]}.

matching_segment(G) ->
    V = fresh(),
    case r(10) of
        X when X =< 4 -> {[V, pick(["", ":8", ":16", ":3", ":24/little", ":32/signed", ":64", ":13/little", ":5/unit:3", ":100/signed", ":16/signed-little"])], [{V, int}]};
        5 -> {[V, pick(["/float", ":32/float", ":64/float-little", ":16/float"])], [{V, float}]};
        6 -> {[V, ":", pick(["1", "2", "3"]), "/", pick(["binary", "bits"])], [{V, bin}]};
        7 -> {[V, "/", pick(["utf8", "utf16", "utf32"])], [{V, int}]};
        8 -> W = fresh(), {[V, ":4, ", W, ":", V, pick(["", "/bits", "/binary", "/signed-little"])], [{V, int}, {W, any}]};
        9 -> {pick(["_:8", "_:3", "_", "1", "\"a\"", "0:1", "255", "_/utf8"]), []};
        10 -> case [N || {N, int} <- G#g.vars] of [] -> {"_:16", []}; Ns -> {[V, ":", pick(Ns)], [{V, int}]} end
    end.

%% ------------------------------------------------------------------------------------------------ choosing

r(N) -> rand:uniform(N).
pick(List) -> lists:nth(r(length(List)), List).
shuffle(List) -> [X || {_, X} <- lists:sort([{rand:uniform(), X} || X <- List])].
fresh() -> N = get(fresh) + 1, put(fresh, N), "V" ++ integer_to_list(N).
type() -> pick([int, int, int, float, num, atom, bool, list, list, tuple, tuple, map, bin, any, any, fn]).
arg_type() -> pick([int, int, int, float, num, atom, list, tuple, map, bin, any, any, fn]).
