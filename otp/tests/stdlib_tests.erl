%% Functions of stdlib with random input: what real programs do with terms.
-module(stdlib_tests).
-export([tests/0]).

tests() ->
    [{lists, fun() -> seeded(1), hash([lists_case(ints(20), ints(8)) || _ <- many(300)]) end},
     {dicts, fun() -> seeded(2), hash([dicts([{rand:uniform(30), rand:uniform(9)} || _ <- many(60)]) || _ <- many(40)]) end},
     {sets, fun() -> seeded(3), hash([sets_case(ints(20), ints(20)) || _ <- many(100)]) end},
     {trees, fun() -> seeded(4), hash([tree(ints(60), ints(30)) || _ <- many(40)]) end},
     {array, fun() -> seeded(5), hash([array_case() || _ <- many(40)]) end},
     {queue, fun() -> seeded(6), hash([queue_case(ints(40)) || _ <- many(60)]) end},
     {proplists, fun() -> seeded(7), hash([proplists_case([pick([a, {a, rand:uniform(3)}, {b, x}, c, {c, false}, {d, 1, 2}]) || _ <- many(6)]) || _ <- many(100)]) end},
     {base64, fun() -> seeded(8), hash([begin B = rand:bytes(rand:uniform(60)), E = base64:encode(B), {E, base64:decode(E) =:= B, base64:mime_decode(<<"\n", E/binary, " ">>) =:= B, base64:encode_to_string(B), caught(fun() -> base64:decode(binary:part(E, 0, rand:uniform(byte_size(E)))) end)} end || _ <- many(300)]) end},
     {base64_bad, fun() -> [caught(fun() -> base64:decode(X) end) || X <- ["a", "a=", "ab==", "a b=", "****", <<"YQ">>, "YQ=", "YQ==="]] end},
     {calendar, fun() -> seeded(9), hash([calendar_case() || _ <- many(400)]) end},
     {calendar_text, fun() -> [caught(fun() -> calendar:rfc3339_to_system_time(T) end) || T <- ["2018-02-01T16:17:58Z", "2018-02-01 15:18:02.088Z", "2018-02-01T16:17:58+02:30", "1969-12-31T23:59:59Z", "bad", "2018-13-01T00:00:00Z"]] ++ [calendar:system_time_to_rfc3339(T, [{offset, "Z"}]) || T <- [0, 1517498278, -1]] end},
     {uri_string, fun() -> [{U, caught(fun() -> uri_string:parse(U) end), caught(fun() -> uri_string:normalize(U) end)} || U <- uris()] ++ [caught(fun() -> uri_string:resolve(R, "http://a/b/c/d;p?q") end) || R <- ["g", "./g", "../g", "/g", "?y", "#s", "g;x?y#s", "../../../g", "", "http:g", "//h"]] end},
     {uri_quoting, fun() -> [uri_string:quote("a b/ö?&"), uri_string:unquote("a%20b"), caught(fun() -> uri_string:percent_decode(<<"%e4%bd">>) end), uri_string:compose_query([{"a", "b c"}, {"å", true}]), uri_string:dissect_query("a=b+c&x&%C3%A5=1"), uri_string:recompose(#{scheme => "http", host => "h", path => "/p", query => "q", port => 8080})] end},
     {scan, fun() -> [caught(fun() -> erl_scan:string(S) end) || S <- sources()] end},
     {scan_tokens, fun() -> [erl_scan:tokens([], "foo(X) -> X.\nrest", 1), erl_scan:string("a %c\n b", {1, 1}, [return, text]), erl_scan:string("'q''", 1)] end},
     {parse, fun() -> [caught(fun() -> {ok, T, _} = erl_scan:string(S), case erl_parse:parse_exprs(T) of {ok, E} -> {E, lists:flatten(erl_pp:exprs(E))}; X -> X end end) || S <- sources()] end},
     {eval, fun() -> [caught(fun() -> {ok, T, _} = erl_scan:string(S), {ok, E} = erl_parse:parse_exprs(T), {value, V, B} = erl_eval:exprs(E, []), {V, B} end) || S <- evaluations()] end},
     {compile, fun() -> [compile_and_run(S) || S <- modules()] end},
     {fread, fun() -> [{F, T, caught(fun() -> io_lib:fread(F, T) end)} || {F, T} <- [{"~d", "12 x"}, {"~d ~d", "1 2"}, {"~f", "1.5"}, {"~f", "1"}, {"~s", "  word rest"}, {"~a", "atom"}, {"~c", "xyz"}, {"~3c", "xyz"}, {"~d-~d", "1-2"}, {"~x", "1"}, {"~#", "16#ff"}, {"~u", "7"}, {"~u", "-7"}, {"~16u", "ff"}, {"~l~d", "5"}, {"~*d~d", "1 2"}, {"~~", "~"}, {"~2d", "1234"}, {"abc", "abd"}, {"~d", ""}, {"~d", "x"}, {"~ts", [1046]}]] end},
     {json_like, fun() -> seeded(10), hash([begin J = json(4), T = iolist_to_binary(encode(J)), {T, decode(T) =:= J} end || _ <- many(300)]) end},
     {gb_sets, fun() -> seeded(11), hash([begin A = gb_sets:from_list(ints(30)), B = gb_sets:from_list(ints(30)), [gb_sets:to_list(X) || X <- [gb_sets:union(A, B), gb_sets:intersection(A, B), gb_sets:difference(A, B), gb_sets:filter(fun(X) -> X rem 2 =:= 0 end, A), gb_sets:balance(B)]] ++ [gb_sets:is_subset(A, B), gb_sets:size(A)] end || _ <- many(100)]) end},
     {sofs, fun() -> R = sofs:relation([{1, a}, {2, b}, {2, c}, {3, a}]), [sofs:to_external(X) || X <- [sofs:domain(R), sofs:range(R), sofs:converse(R), sofs:relation_to_family(R), sofs:composite(R, sofs:relation([{a, x}, {c, y}]))]] end},
     {digraph, fun() -> digraph_case() end},
     {rand, fun() -> [begin S = rand:seed_s(A, {1, 2, 3}), {L, _} = lists:mapfoldl(fun(_, T) -> rand:uniform_s(1 bsl 50, T) end, S, many(5)), {A, L} end || A <- [exsss, exro928ss, exrop, exs1024s, exsp, mwc59, dummy], A =/= mwc59] ++ [begin S = rand:seed_s(exsss, 42), {X, S2} = rand:normal_s(S), {Y, _} = rand:uniform_real_s(rand:jump(S2)), {X, Y} end] end},
     {string_io, fun() -> seeded(12), hash([lists:flatten(io_lib:format("~p ~w ~s ~.3f ~8.16.0b ~e", [X, X, integer_to_list(X), X / 7, abs(X), X * 1.5])) || X <- ints(300)]) end},
     {pretty, fun() -> [lists:flatten(io_lib:format("~" ++ W ++ "p", [T])) || W <- ["20", "40", "80"], T <- [#{a => [1, 2, #{b => "text"}], {x, y} => <<1, 2, 3>>}, [{N, lists:seq(1, N)} || N <- many(8)], {record, "string", 'quoted atom', [nested, {deep, [list]}], 1.0e-10}]] end},
     {merge_sort, fun() -> seeded(13), L = [{rand:uniform(1000), N} || N <- many(20000)], {erlang:phash2(lists:sort(L)), erlang:phash2(lists:keysort(1, L)), erlang:phash2(lists:sort(fun({A, _}, {B, _}) -> A >= B end, L)), erlang:phash2(lists:usort([A || {A, _} <- L])), erlang:phash2(lists:merge3(lists:seq(1, 50, 3), lists:seq(2, 50, 3), lists:seq(3, 50, 3)))} end}].

many(N) -> lists:seq(1, N).
seeded(N) -> rand:seed(exsss, {N, 90, 91}).
pick(List) -> lists:nth(rand:uniform(length(List)), List).
ints(N) -> [rand:uniform(50) || _ <- many(rand:uniform(N))].
hash(List) -> {hd(List), length(List), hashes(List, max(1, length(List) div 10))}.
hashes([], _) -> [];
hashes(List, Part) when length(List) =< Part -> [erlang:phash2(List)];
hashes(List, Part) -> {A, B} = lists:split(Part, List), [erlang:phash2(A) | hashes(B, Part)].
caught(F) -> try F() catch C:R -> {C, R} end.

lists_case(A, B) ->
    Even = fun(X) -> X rem 2 =:= 0 end,
    [lists:sort(A), lists:usort(A), lists:reverse(A), lists:sum(A), lists:max(A), lists:min(A), lists:nthtail(length(A) div 2, A), lists:sublist(A, 3), lists:zipwith(fun(X, Y) -> X * Y end, A, A), lists:foldr(fun(X, Acc) -> [X | Acc] end, [], A), lists:dropwhile(Even, A), lists:takewhile(Even, A), lists:partition(Even, A), lists:filtermap(fun(X) -> Even(X) andalso {true, X * 2} end, A),
     lists:delete(hd(A), A ++ A), lists:droplast(A), lists:last(A), lists:prefix(B, A), lists:suffix(B, A ++ B), lists:append([A, B, A]), lists:concat([a, 1, "s", 1.5]), lists:duplicate(2, A), lists:enumerate(A), lists:uniq(A), lists:join(x, B), lists:search(Even, A), lists:splitwith(Even, A), lists:mapfoldr(fun(X, Y) -> {X + Y, X} end, 0, A), lists:all(Even, A), lists:any(Even, A), lists:flatmap(fun(X) -> [X, X] end, B), lists:keystore(1, 1, [{X} || X <- B], {1}), lists:keytake(3, 1, [{X} || X <- A]), lists:keyreplace(3, 1, [{X, 1} || X <- A], new), lists:keymap(fun(X) -> -X end, 1, [{X, 1} || X <- B])].

dicts(Pairs) ->
    D = dict:from_list(Pairs), O = orddict:from_list(Pairs), G = gb_trees:from_orddict(O),
    [lists:sort(dict:to_list(D)), dict:to_list(D), O, gb_trees:to_list(G), dict:fold(fun(K, V, A) -> K * V + A end, 0, D), dict:find(5, D), orddict:find(5, O), gb_trees:lookup(5, G), dict:size(dict:erase(5, D)), orddict:erase(5, O), gb_trees:to_list(gb_trees:delete_any(5, G)), dict:to_list(dict:map(fun(K, V) -> K + V end, D)), dict:to_list(dict:filter(fun(K, _) -> K > 9 end, D)),
     orddict:merge(fun(_, A, B) -> A + B end, O, [{100, 1}]), dict:to_list(dict:update_counter(3, 7, D)), dict:fetch_keys(D), dict:to_list(dict:append_list(77, [1], dict:append(77, x, dict:new()))), caught(fun() -> dict:fetch(999, D) end), gb_trees:smallest(G), gb_trees:largest(G), gb_trees:keys(gb_trees:balance(G)), gb_trees:to_list(gb_trees:map(fun(K, V) -> K - V end, G)), caught(fun() -> gb_trees:insert(hd(gb_trees:keys(G)), x, G) end), gb_trees:iterator_from(9, G)].

sets_case(A, B) ->
    [begin X = From(A), Y = From(B), [lists:sort(Mod:to_list(Mod:union(X, Y))), lists:sort(Mod:to_list(Mod:intersection(X, Y))), lists:sort(Mod:to_list(Mod:subtract(X, Y))), Mod:is_subset(X, Y), Mod:is_disjoint(X, Y), Mod:is_element(5, X), Mod:size(X), Mod:fold(fun(E, S) -> E + S end, 0, X), Mod:to_list(X), Mod:to_list(Mod:filter(fun(E) -> E > 20 end, X)), Mod:is_empty(Mod:del_element(hd(A), X))] end
        || {Mod, From} <- [{sets, fun(L) -> sets:from_list(L) end}, {sets, fun(L) -> sets:from_list(L, [{version, 2}]) end}, {ordsets, fun ordsets:from_list/1}]].

tree(Ins, Del) ->
    T = lists:foldl(fun(K, A) -> gb_trees:enter(K, K * 2, A) end, gb_trees:empty(), Ins),
    U = lists:foldl(fun gb_trees:delete_any/2, T, Del),
    {T, U, gb_trees:size(U), gb_trees:is_defined(7, U)}.

array_case() ->
    A = lists:foldl(fun(_, X) -> array:set(rand:uniform(300) - 1, rand:uniform(9), X) end, array:new([{default, d}]), many(30)),
    {array:size(A), array:sparse_to_orddict(A), array:get(5, A), array:foldl(fun(_, d, S) -> S; (I, V, S) -> I * V + S end, 0, A), erlang:phash2(array:to_list(array:resize(50, A))), array:sparse_size(A), caught(fun() -> array:get(-1, A) end), array:to_orddict(array:from_list([a, b])), caught(fun() -> array:set(5, x, array:new(3)) end), array:is_fix(array:fix(A))}.

queue_case(L) ->
    Q = lists:foldl(fun(X, Q0) -> case X rem 5 of 0 -> {_, Q1} = queue:out(Q0), Q1; 1 -> {_, Q1} = queue:out_r(Q0), Q1; 2 -> queue:in_r(X, Q0); _ -> queue:in(X, Q0) end end, queue:new(), L),
    {queue:to_list(Q), queue:len(Q), queue:reverse(Q), queue:peek(Q), queue:peek_r(Q), queue:to_list(queue:join(Q, queue:from_list([a]))), queue:member(7, Q), caught(fun() -> queue:get(Q) end), queue:to_list(queue:filter(fun(X) -> X rem 2 =:= 0 end, Q)), caught(fun() -> queue:split(3, Q) end)}.

proplists_case(P) ->
    [proplists:get_value(a, P), proplists:get_value(a, P, d), proplists:get_all_values(a, P), proplists:lookup(c, P), proplists:lookup_all(c, P), proplists:get_bool(c, P), proplists:get_keys(P), proplists:delete(a, P), proplists:is_defined(d, P), proplists:compact(P), proplists:unfold(P), proplists:expand([{c, [c1, c2]}], P), proplists:substitute_aliases([{a, z}], P), proplists:split(P, [a, c]), proplists:append_values(a, P), proplists:to_map(proplists:unfold([X || X <- P, X =/= {d, 1, 2}]))].

calendar_case() ->
    D = {Y, M, _} = {1970 + rand:uniform(200) - 100, rand:uniform(12), rand:uniform(28)}, T = {rand:uniform(24) - 1, rand:uniform(60) - 1, rand:uniform(60) - 1},
    S = calendar:datetime_to_gregorian_seconds({D, T}),
    {D, T, S, calendar:gregorian_seconds_to_datetime(S), calendar:day_of_the_week(D), calendar:iso_week_number(D), calendar:is_leap_year(Y), calendar:last_day_of_the_month(Y, M), calendar:date_to_gregorian_days(D), calendar:valid_date({Y, M, 31}), calendar:seconds_to_daystime(S), calendar:seconds_to_time(S rem 86400), calendar:system_time_to_universal_time(S, second), calendar:time_to_seconds(T), calendar:time_difference({{1970, 1, 1}, T}, {D, T})}.

uris() ->
    ["http://user:pw@host:80/p/a/t/h?query=string#hash", "foo://[2001:db8::1]:8042/over", "mailto:a@b.c", "//host/path", "path/only", "", "http://a b", "http://h:99999999", "HTTP://EXAMPLE.com:80/%7ea/./b/../c", "urn:oasis:names", "http://h?q#f#g", <<"ftp://ö/"/utf8>>, "http://[::1", "a:b:c", "?x", "#y", "http://%zz"].

sources() ->
    ["foo(X, Y) -> X + Y.", "1 + 2 * 3 - (4 div 5).", "[X || X <- [1,2,3], X > 1].", "#{a => 1, b := 2}.", "<<X:8/little, Y/binary>>.", "fun(X) when X > 1; is_atom(X) -> X end.", "case X of {a, B} -> B; _ -> \"str\\n\" end.", "try f() of x -> y catch E:R:S -> {E, R, S} after z end.", "$a + $\\n + 16#ff + 1.5e10 + 'quoted atom'.", "#r{a = 1, _ = 2}.", "\"unterminated", "'bad", "1.2.3", "a b", "?macro.", "receive X -> X after 10 -> ok end.", "-1 + +2, not true andalso false orelse x.", "X = Y ! Z.", "1#2.", "2#102.", "1_000.", "begin a, b end.", "maybe.", "M:F(A), fun M:F/2, fun foo/1.", "[1, 2 | T].", "{}.", "if X > 1 -> a; true -> b end.", "\"a\" \"b\".", "@", "\x{416}.", "catch throw(x).", ")", "<< <<X>> || <<X>> <= B >>."].

evaluations() ->
    ["1 + 2 * 3.", "X = [A * 2 || A <- lists:seq(1, 5), A rem 2 =:= 1], lists:sum(X).", "F = fun(0, A) -> A; (N, A) -> A * N end, F(3, 4).", "#{K := V} = #{k => v, K => 1}.", "K = k, #{K := V} = #{k => v}, V.", "<<A:4, B:12>> = <<16#ab, 16#cd>>, {A, B}.", "try 1 / 0 catch E:R -> {E, R} end.", "case {1, 2} of {X, Y} when X < Y -> less; _ -> other end.", "F = fun G(0) -> 0; G(N) -> N + G(N - 1) end, F(10).", "X = 1, X = 2.", "lists:map(fun(X) -> X + 1 end, [1, 2]).", "undefined_fun(1).", "foo:bar().", "if false -> 1 end.", "begin Y = 5, Y * Y end.", "<< <<(X * 2)>> || <<X>> <= <<1, 2, 3>> >>.", "catch exit(x).", "M = #{a => 1}, M#{a := 2, b => 3}.", "(fun() -> throw(t) end)().", "self() ! hi, receive hi -> got after 0 -> none end.", "[X || {X, Y} <- [{1, 2}, 3, {4, 5}], Y > 2].", "element(3, {1, 2}).", "\"abc\" ++ [D] = \"abcd\", D."].

modules() ->
    ["-module(m1_gen). -export([f/1]). f(0) -> zero; f(N) when N > 0 -> [N | f(N - 1)].", "-module(m2_gen). -export([f/1]). -record(r, {a = 1, b}). f(X) -> R = #r{b = X}, R#r{a = R#r.b}.", "-module(m3_gen). -export([f/1]). f(X) -> try g(X) catch error:{badmatch, V} -> V; throw:T -> {t, T} after ok end. g(X) -> {a, B} = X, throw(B).", "-module(m4_gen). -export([f/1]). f(X) -> Y = X.", "-module(m5_gen). -export([f/1]). f(X) -> undefined_here(X).", "-module(m6_gen). -export([f/1]). f(L) -> << <<(X + 1):16/little>> || X <- lists:flatten([L]), is_integer(X) >>.", "-module(m7_gen). f(", "-module(m8_gen). -export([f/1]). f(X) -> F = fun(Y) -> X + Y end, [F(1), F(2.5), is_function(F, 1)]."].

compile_and_run(Source) ->
    Forms = fun Forms(Text, Line) -> case erl_scan:tokens([], Text, Line) of {done, {ok, T, L}, Rest} -> [erl_parse:parse_form(T) | Forms(Rest, L)]; _ -> [] end end,
    All = Forms(Source ++ "\n", 1),
    Good = [F || {ok, F} <- All],
    case compile:forms(Good, [return, deterministic]) of
        {ok, Module, Binary, Warnings} ->
            {module, Module} = code:load_binary(Module, "generated", Binary),
            Results = [caught(fun() -> Module:f(X) end) || X <- [0, 3, {a, 5}, foo]],
            code:delete(Module), code:purge(Module),
            {Module, erlang:md5(Binary), Warnings, Results, [F || F <- All, element(1, F) =/= ok]};
        Other -> Other
    end.

json(0) -> pick([rand:uniform(1000), true, false, null, <<"text">>, <<"q\"\\\n"/utf8>>, 1.5, -7]);
json(N) ->
    case rand:uniform(3) of
        1 -> [json(N - 1) || _ <- many(rand:uniform(4))];
        2 -> maps:from_list([{integer_to_binary(rand:uniform(20)), json(N - 1)} || _ <- many(rand:uniform(4))]);
        3 -> json(0)
    end.

encode(A) when is_atom(A) -> atom_to_binary(A);
encode(N) when is_integer(N) -> integer_to_binary(N);
encode(F) when is_float(F) -> float_to_binary(F, [short]);
encode(B) when is_binary(B) -> [$", [case C of $" -> "\\\""; $\\ -> "\\\\"; $\n -> "\\n"; _ -> C end || <<C>> <= B], $"];
encode(L) when is_list(L) -> [$[, lists:join($,, [encode(X) || X <- L]), $]];
encode(M) when is_map(M) -> [${, lists:join($,, [[encode(K), $:, encode(V)] || {K, V} <- lists:sort(maps:to_list(M))]), $}].

decode(B) -> {V, <<>>} = value(B), V.
value(<<"true", R/binary>>) -> {true, R};
value(<<"false", R/binary>>) -> {false, R};
value(<<"null", R/binary>>) -> {null, R};
value(<<$", R/binary>>) -> text(R, <<>>);
value(<<"[]", R/binary>>) -> {[], R};
value(<<$[, R/binary>>) -> elements(R, []);
value(<<${, R/binary>>) -> members(R, #{});
value(B) ->
    {match, [{0, N}]} = re:run(B, "^-?[0-9]+(\\.[0-9]+)?"),
    <<T:N/binary, R/binary>> = B,
    {case binary:match(T, <<".">>) of nomatch -> binary_to_integer(T); _ -> binary_to_float(T) end, R}.
text(<<$", R/binary>>, A) -> {A, R};
text(<<$\\, $n, R/binary>>, A) -> text(R, <<A/binary, $\n>>);
text(<<$\\, C, R/binary>>, A) -> text(R, <<A/binary, C>>);
text(<<C, R/binary>>, A) -> text(R, <<A/binary, C>>).
elements(B, A) -> case value(B) of {V, <<$,, R/binary>>} -> elements(R, [V | A]); {V, <<$], R/binary>>} -> {lists:reverse(A, [V]), R} end.
members(<<$", B/binary>>, A) -> {K, <<$:, R/binary>>} = text(B, <<>>), case value(R) of {V, <<$,, S/binary>>} -> members(S, A#{K => V}); {V, <<$}, S/binary>>} -> {A#{K => V}, S} end.

digraph_case() ->
    G = digraph:new(),
    [digraph:add_vertex(G, V) || V <- many(8)],
    [digraph:add_edge(G, A, B) || {A, B} <- [{1, 2}, {2, 3}, {3, 1}, {3, 4}, {4, 5}, {6, 7}, {7, 8}]],
    R = {digraph:get_path(G, 1, 5), digraph:get_path(G, 5, 1), lists:sort([lists:sort(C) || C <- digraph_utils:components(G)]), lists:sort([lists:sort(C) || C <- digraph_utils:strong_components(G)]), digraph_utils:is_acyclic(G), digraph_utils:topsort(G), lists:sort(digraph:out_neighbours(G, 3)), digraph:no_edges(G), lists:sort(digraph_utils:reachable([6], G))},
    digraph:delete(G),
    R.
