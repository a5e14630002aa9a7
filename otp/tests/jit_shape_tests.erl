%% Hot code of unusual shapes: numbers of all kinds, large selections, many arguments and registers, funs, maps, binaries.
-module(jit_shape_tests).
-export([tests/0]).
-export([target/0, target/1, target/2, target/3]).

-define(HOT, 3000).

tests() ->
    [{harmonic, fun harmonic/0}, {logistic, fun logistic/0}, {planets, fun planets/0}, {float_edges, fun float_edges/0},
     {float_errors, fun float_errors/0}, {integers_grow, fun integers_grow/0}, {small_edges, fun small_edges/0},
     {change_of_types, fun change_of_types/0}, {compare_mixed, fun compare_mixed/0}, {compare_kept, fun compare_kept/0},
     {select_dense, fun select_dense/0}, {select_sparse, fun select_sparse/0}, {select_atoms, fun select_atoms/0},
     {select_arity, fun select_arity/0}, {select_terms, fun select_terms/0}, {select_next, fun select_next/0}, {clauses, fun clauses/0},
     {arguments, fun arguments/0}, {huge, fun huge/0}, {many_registers, fun many_registers/0},
     {apply_arities, fun apply_arities/0}, {fun_arities, fun fun_arities/0}, {closures, fun closures/0},
     {fun_tail_calls, fun fun_tail_calls/0}, {mutual, fun mutual/0}, {maps_hot, fun maps_hot/0}, {map_changes, fun map_changes/0}, {records, fun records/0},
     {binaries, fun binaries/0}, {sizes, fun sizes/0}, {building, fun building/0}, {dictionary, fun dictionary/0}, {comprehensions, fun comprehensions/0},
     {empty_field, fun empty_field/0}, {minus_zero, fun minus_zero/0}, {map_keys, fun map_keys/0}, {traced, fun traced/0}].

%% ------------------------------------------------------------------------------------------------ numbers

harmonic() -> [<<(sum_floats(N, 0.0)):64/float>> || N <- [1, 10, 1000, 30000]].
sum_floats(0, A) -> A;
sum_floats(N, A) -> sum_floats(N - 1, A + 1 / N - 1 / (N * 2.0 + 1)).

logistic() -> [<<(iterate(10000, R, 0.37)):64/float>> || R <- [3.1, 3.57, 3.9, 4]].
iterate(0, _, X) -> X;
iterate(N, R, X) -> iterate(N - 1, R, R * X * (1 - X)).

planets() ->
    {{X, Y}, {U, V}, E} = orbit(5000, {1.0, 0.0}, {0.0, 0.9}, 0),
    {<<X/float, Y/float, U/float, V/float>>, E}.
orbit(0, P, V, E) -> {P, V, E};
orbit(N, {X, Y}, {U, V}, E) ->
    R = math:sqrt(X * X + Y * Y),
    F = -1.0e-3 / (R * R * R),
    U1 = U + F * X,
    V1 = V + F * Y,
    orbit(N - 1, {X + U1 * 1.0e-3, Y + V1 * 1.0e-3}, {U1, V1}, if R > 1.0 -> E + 1; R == 1 -> E; true -> E - 1 end).

float_edges() ->
    Values = [0.0, -0.0, 1.0, -1.0, 4.9e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1.0e16, 9007199254740993.0],
    [erlang:phash2([<<(op(O, A, B)):64/float>> || A <- Values, B <- Values, safe(O, A, B)]) || O <- ['+', '-', '*', '/'], _ <- [1, 2, 3]].
safe(O, A, B) -> try _ = op(O, A, B), true catch error:badarith -> false end.
op('+', A, B) -> A + B + 0.0;
op('-', A, B) -> A - B - 0.0;
op('*', A, B) -> A * B * 1.0;
op('/', A, B) -> A / B / 1.0.

float_errors() ->
    hot:heat(fun(X) -> op('*', X * 1.0, 2.0) end, ?HOT),
    [hot:outcome(fun(X) -> op('*', X, 1.0e308) end, 1.0e10), hot:outcome(fun(X) -> op('/', X, 0) end, 1.0), hot:outcome(fun(X) -> op('/', X, -0.0) end, 0),
     hot:outcome(fun(X) -> op('+', X, 1.0) end, a), hot:outcome(fun(X) -> op('-', X, 1) end, 1 bsl 2000)].

integers_grow() -> {fact(60, 1), power(3, 500, 1) rem 1000000007, fib(200, 0, 1), halves(1 bsl 200, 0)}.
fact(0, A) -> A;
fact(N, A) -> fact(N - 1, A * N).
power(_, 0, A) -> A;
power(B, N, A) -> power(B, N - 1, A * B).
fib(0, A, _) -> A;
fib(N, A, B) -> fib(N - 1, B, A + B).
halves(0, N) -> N;
halves(X, N) -> halves(X bsr 1, N + X band 1 + 1).

small_edges() ->
    hot:heat(fun(X) -> arith(X, 3) end, ?HOT),
    Values = [(1 bsl 59) - 1, 1 bsl 59, -(1 bsl 59), -(1 bsl 59) - 1, 1, -1, 0, 7, (1 bsl 64) + 3, -(1 bsl 64), 1 bsl 31],
    [arith(A, B) || A <- Values, B <- Values].
arith(A, B) ->
    {A + B, A - B, A * B, if B =/= 0 -> {A div B, A rem B}; true -> none end, A band B, A bor B, A bxor B, bnot A, A bsr 3, A bsl 4,
     A < B, A =< B, A =:= B, A == B, -A, abs(A), if B >= 0, B < 80 -> A bsl B; true -> A bsr (B band 63) end}.

change_of_types() ->
    Args = [1, 2, 1.5, a, [], 1 bsl 65, {1}, #{}, <<>>, 3],
    hot:heat(fun(X) -> sort_of(X, X) end, ?HOT),
    [try sort_of(A, B) catch error:R -> R end || A <- Args, B <- Args].
sort_of(A, B) when A > 0, is_number(A) -> A + B;
sort_of(A, B) when is_list(A); is_atom(B) -> {A, B};
sort_of(A, B) when A == B -> same;
sort_of(A, B) -> A * B.

compare_mixed() ->
    Values = [1, 1.0, 0, -0.0, 0.0, (1 bsl 53) + 1, 9007199254740992.0, 9007199254740993, 1 bsl 70, 1.0e21, a, b, [], [1], [1.0], {}, {1}, {1.0}, #{}, #{1 => 1}, #{1.0 => 1}, <<>>, <<1>>, <<1:1>>],
    hot:heat(fun(X) -> orders(X, 5) end, ?HOT),
    erlang:phash2([orders(A, B) || A <- Values, B <- Values]).
orders(A, B) -> {A < B, A =< B, A > B, A >= B, A == B, A /= B, A =:= B, A =/= B, max(A, B), min(A, B)}.

%% Comparisons with what is kept over a call, and with constants; each round brings another kind of operands.
compare_kept() ->
    Rounds = [lists:seq(1, 500), [I * 0.5 || I <- lists:seq(1, 300)], [1 bsl 60 + I || I <- lists:seq(-20, 20)], [a, {}, [1], <<2>>, #{}], lists:seq(1, 500)],
    Limits = [250, 99.5, 1 bsl 60, b],
    [erlang:phash2([kept(L, X) || _ <- lists:seq(1, 8), X <- Round, L <- Limits]) || Round <- Rounds].
kept(Limit, X) ->
    Y = same(X),
    Z = same(Limit),
    {if Y < Limit -> less; true -> more end, if Y >= Limit -> more; true -> less end, if X < Z -> less; true -> more end,
     if Limit =< Y -> more; true -> less end, if X < Limit -> less; true -> more end, if X >= Limit -> more; true -> less end,
     if X < 99.5 -> less; true -> more end, if X >= 1152921504606846976 -> more; true -> less end, Z}.
same(X) -> put(last, X), get(last).

%% ------------------------------------------------------------------------------------------------ shapes of code

%% A function f/1 with the clauses, run on many values on two rounds.
selection(Name, Clauses, Values) ->
    hot:load(Name, [lists:join("; ", Clauses), ". run(0, _, A) -> A; run(N, L, _) -> run(N - 1, L, [f(X) || X <- L]). "]),
    Result = Name:run(20, Values, []),
    hot:forget(Name),
    {length(Result), erlang:phash2(Result)}.

f(I, V) -> io_lib:format("f(~0p) -> {~0p, x}", [I, V]).
default() -> ["f(_) -> none"].

select_dense() -> selection(jit_s1, [f(I, I * I) || I <- lists:seq(0, 300)] ++ default(), lists:seq(-10, 320) ++ [a, 1.0, 1 bsl 64]).
select_sparse() -> selection(jit_s2, [f(I * I * 7919, I) || I <- lists:seq(-60, 60), I =/= 0, I > 0 orelse I rem 2 =:= 0] ++ default(), [I * 7919 || I <- lists:seq(-3700, 3700, 11)] ++ [7919, 31676]).
select_atoms() -> selection(jit_s3, [io_lib:format("f(atom~w) -> ~w", [I, I]) || I <- lists:seq(1, 200)] ++ default(), [list_to_atom("atom" ++ integer_to_list(I)) || I <- lists:seq(0, 210)] ++ [1, []]).
select_arity() -> selection(jit_s4, [["f({", lists:join(", ", lists:duplicate(I, "_")), "}) -> ", integer_to_list(I)] || I <- lists:seq(0, 60, 2)] ++ default(), [list_to_tuple(lists:seq(1, I)) || I <- lists:seq(0, 65)] ++ [a, [], #{}]).
select_terms() -> selection(jit_s5, [f(T, erlang:phash2(T)) || T <- terms()] ++ default(), terms() ++ [1 bsl 100 + 1, 1.25, <<"nope">>, -0.0]).
%% A choice between integers of any size whose target is the code that follows, with other registers live.
select_next() -> erlang:phash2([after_select(A, F, I) || I <- lists:seq(1, 200), A <- [1, 7, 1 bsl 59, 1 bsl 100, 5], F <- [fun lists:reverse/1, fun(X) -> {X, I} end, I]]).
after_select(A, F, I) ->
    case case A of 1 -> true; 7 -> true; 576460752303423487 -> true; 576460752303423488 -> A; 1267650600228229401496703205376 -> true; _ -> false end of
        true when not is_function(F, 1) -> {a, I};
        false -> {b, I};
        _ -> {c, I, is_function(F)}
    end.
terms() -> [1 bsl 60, 1 bsl 100, -(1 bsl 77), 1.5, 2.0, <<"a">>, <<"bc">>, "string", {a, 1}, {a, 2}, [], 3, b, #{}].

clauses() ->
    Clauses = [io_lib:format("f({k~w, X}) when X > ~w -> X - ~w", [I rem 40, I, I]) || I <- lists:seq(1, 400)],
    selection(jit_s6, Clauses ++ default(), [{list_to_atom("k" ++ integer_to_list(I rem 40)), I * 3 rem 500} || I <- lists:seq(1, 500)]).

%% Hot with forty arguments. With 255 only a few calls: compiling takes long.
arguments() -> [arguments(40, 300), arguments(255, 5)].
arguments(Count, Calls) ->
    Names = ["A" ++ integer_to_list(I) || I <- lists:seq(1, Count)],
    Args = lists:join(", ", Names),
    hot:load(jit_s7, [
        "f(", Args, ") -> ", lists:join(" + ", Names), ". ",
        "g(", Args, ") -> f(", lists:join(", ", lists:reverse(Names)), "). ",
        "l(0, ", lists:join(", ", tl(Names)), ") -> {", lists:join(", ", tl(Names)), "}; l(A1, ", lists:join(", ", tl(Names)), ") -> l(A1 - 1, ",
        lists:join(", ", tl(tl(Names)) ++ ["A2"]), "). "]),
    L = lists:seq(1, Count),
    R = [apply(jit_s7, f, L) || _ <- lists:seq(1, Calls)] ++ [apply(jit_s7, g, L) || _ <- lists:seq(1, Calls)],
    T = apply(jit_s7, l, [Calls * 10 | tl(L)]),
    E = try apply(jit_s7, g, [x | tl(L)]) catch error:Reason:S -> {Reason, [{F, if is_list(A) -> length(A); true -> A end} || {_, F, A, _} <- S, F =:= f orelse F =:= '+']} end,
    hot:forget(jit_s7),
    {lists:usort(R), erlang:phash2(T), E}.

%% Thousands of instructions in one function.
huge() ->
    Lines = [io_lib:format("X~w = (X~w * ~w + A) rem 100003, ", [I, I - 1, I rem 13 + 2]) || I <- lists:seq(1, 500)],
    Calls = [io_lib:format("Y~w = g(X~w, Y~w), ", [I, I * 7, I - 1]) || I <- lists:seq(1, 70)],
    hot:load(jit_s8, ["f(A) -> X0 = A, ", Lines, "Y0 = [], ", Calls, "{X500, Y70}. g(X, [H | _]) when X rem 3 =:= 0 -> [X, H]; g(X, Y) -> [X | Y]. "]),
    R = [jit_s8:f(I) || I <- lists:seq(1, 40)],
    E = (catch jit_s8:f(1.0)),
    hot:forget(jit_s8),
    {erlang:phash2(R), element(1, element(2, E))}.

%% Many values live over calls.
many_registers() ->
    N = 300,
    Bind = [io_lib:format("V~w = g(A + ~w), ", [I, I]) || I <- lists:seq(1, N)],
    Use = lists:join(", ", [io_lib:format("V~w", [I]) || I <- lists:seq(N, 1, -1)]),
    hot:load(jit_s9, ["f(A) -> ", Bind, "g(A), {", Use, "}. g(X) -> {X}. "]),
    R = [jit_s9:f(I) || I <- lists:seq(1, 60)],
    hot:forget(jit_s9),
    erlang:phash2(R).

target() -> [].
target(A) -> [A].
target(A, B) -> [A, B].
target(A, B, C) -> [A, B, C].

apply_arities() ->
    Functions = [["f(", lists:join(", ", args(N)), ") -> [", lists:join(", ", args(N)), "]. ",
        "a", integer_to_list(N), "(M, F", [[", ", A] || A <- args(N)], ") -> {M:F(", lists:join(", ", args(N)), ")}. ",
        "b", integer_to_list(N), "(M, F", [[", ", A] || A <- args(N)], ") -> M:F(", lists:join(", ", args(N)), "). "] || N <- lists:seq(0, 20) ++ [100, 253]],
    hot:load(jit_a1, Functions),
    R = [begin
        L = lists:seq(1, N),
        [[apply(jit_a1, f, L), apply(jit_a1, list_to_atom("a" ++ integer_to_list(N)), [jit_a1, f | L]), apply(jit_a1, list_to_atom("b" ++ integer_to_list(N)), [jit_a1, f | L])]
         || _ <- lists:seq(1, 30)]
     end || N <- lists:seq(0, 20) ++ [100, 253]],
    Hot = [apply(?MODULE, target, lists:sublist([a, b, c], I rem 4)) || I <- lists:seq(1, ?HOT)],
    hot:forget(jit_a1),
    {erlang:phash2(R), erlang:phash2(Hot)}.

args(N) -> ["A" ++ integer_to_list(I) || I <- lists:seq(1, N)].

fun_arities() ->
    Functions = [["m", integer_to_list(N), "(X) -> fun(", lists:join(", ", args(N)), ") -> {X, ", lists:join(" + ", ["0" | args(N)]), "} end. ",
        "c", integer_to_list(N), "(F", [[", ", A] || A <- args(N)], ") -> {F(", lists:join(", ", args(N)), ")}. "] || N <- lists:seq(0, 20) ++ [200]],
    hot:load(jit_a2, Functions),
    R = [begin
        L = lists:seq(1, N),
        F = jit_a2:(list_to_atom("m" ++ integer_to_list(N)))(x),
        [{apply(F, L), apply(jit_a2, list_to_atom("c" ++ integer_to_list(N)), [F | L])} || _ <- lists:seq(1, 30)]
     end || N <- lists:seq(0, 20) ++ [200]],
    Bad = [try apply(jit_a2, c2, [F, 1, 2]) catch error:Reason:S -> {element(1, Reason), [{Fn, A} || {jit_a2, Fn, A, _} <- S]} end
        || F <- [jit_a2:m1(1), jit_a2:m3(1), fun lists:nosuch/1, a, fun erlang:length/1]],
    hot:forget(jit_a2),
    {erlang:phash2(R), Bad}.

closures() ->
    Funs = [fun(X) -> X + I end || I <- lists:seq(1, 5)] ++ [fun erlang:abs/1, fun ?MODULE:target/1, fun(X) -> [X, Funs0] = [X, none], {X, Funs0} end],
    Results = [[F(N) || F <- Funs] || N <- lists:seq(1, ?HOT div 4)],
    {erlang:phash2(Results), lists:last(Results)}.

%% Calls of funs at the end of a function take no stack.
fun_tail_calls() ->
    F = fun(0, _) -> process_info(self(), stack_size); (N, G) -> G(N - 1, G) end,
    {stack_size, S} = F(200000, F),
    {stack_size, T} = fun_loop(200000, fun fun_loop/2),
    {S < 1000, T < 1000}.
fun_loop(0, _) -> process_info(self(), stack_size);
fun_loop(N, F) -> F(N - 1, F).

mutual() -> {even(100001, 0), three(30000, 0, a)}.
even(0, A) -> {even, A};
even(N, A) -> odd(N - 1, A + 1).
odd(0, A) -> {odd, A};
odd(N, A) when A rem 2 =:= 1 -> even(N - 1, A + 2);
odd(N, A) -> even(N - 1, A).
three(0, A, S) -> {A, S};
three(N, A, a) -> two(N - 1, A, b);
three(N, A, c) -> two(N - 1, A + 1, d).
two(N, A, b) -> three(N, A + 3, c);
two(N, A, d) when N rem 2 =:= 0 -> three(N, A, a);
two(N, A, d) -> three(N, A - 1, c).

maps_hot() ->
    M = map_loop(?HOT, #{count => 0, last => none, sum => 0.0}),
    Big = lists:foldl(fun(I, A) -> A#{I => I * I, {I} => I} end, #{}, lists:seq(1, 100)),
    {M, map_size(Big), [look(K, Big) || K <- [1, 100, 101, {7}, {101}, a]], [look(K, #{a => 1, {7} => 2}) || K <- [a, {7}, b]]}.
map_loop(0, M) -> M;
map_loop(N, #{count := C, sum := S} = M) -> map_loop(N - 1, M#{count := C + 1, last => N, sum := S + N / 3}).
look(K, M) -> case M of #{K := V} -> {ok, V}; #{a := V} -> {a, V}; _ -> none end.

%% New values for one key, in maps of all sizes, with floats kept meanwhile.
map_changes() ->
    Maps = [maps:from_list([{I, I} || I <- lists:seq(1, N)]) || N <- [0, 1, 5, 31, 32, 33, 200]],
    R = [erlang:phash2(changes(400, M, 1.5, 0.0)) || M <- Maps],
    Bad = [{hot:outcome(fun put_one/1, M), hot:outcome(fun update_one/1, M), guarded(M)} || M <- [a, [], {}, 1.0 | Maps]],
    hot:heat(fun put_one/1, #{}, ?HOT),
    hot:heat(fun update_one/1, #{k => 0}, ?HOT),
    {R, erlang:phash2(Bad), Bad =:= [{hot:outcome(fun put_one/1, M), hot:outcome(fun update_one/1, M), guarded(M)} || M <- [a, [], {}, 1.0 | Maps]],
     [hot:outcome(fun update_one/1, M) || M <- [#{}, a, #{k => 1}]]}.
changes(0, M, F, S) -> {M, F, S};
changes(N, M, F, S) ->
    G = F * 1.01,
    T = M#{N rem 37 => N, {N} => S},
    U = T#{N rem 11 => G},
    V = U#{N rem 11 := {N, F}},
    changes(N - 1, V#{k => T =:= U}, G - F * 0.02, S + G).
put_one(M) -> M#{k => [M]}.
update_one(M) -> {M#{k := 1.5}}.
guarded(M) when M#{k => 1} =:= #{k => 1} -> true;
guarded(M) when map_size(M#{1 := 2}) > 0 -> updated;
guarded(_) -> false.

-record(state, {n = 0, list = [], tuple = {}, f = 0.0}).
records() ->
    S = #state{n = N, list = L} = record_loop(?HOT, #state{}),
    {N, length(L), S#state.tuple, S#state.f}.
record_loop(0, S) -> S;
record_loop(N, #state{n = M, list = L} = S) when N rem 3 =:= 0 -> record_loop(N - 1, S#state{n = M + N, list = [N | L]});
record_loop(N, #state{f = F} = S) -> record_loop(N - 1, S#state{f = F + N * 0.5, tuple = {N, S#state.n}}).

binaries() ->
    B = << <<I:8>> || I <- lists:seq(0, 255), _ <- lists:seq(1, 20) >>,
    {bytes(B, 0), words(B, 0), bits(B, 0), strings(<<"key=value;other=thing;x=;=y">>), text(unicode:characters_to_binary("aåλ€😀" ++ lists:seq(500, 900)), 0),
     [catch bytes(X, 0) || X <- [<<1:3>>, a, <<2, 1:1>>]]}.
bytes(<<X, R/binary>>, A) -> bytes(R, A * 31 + X band 16#FFFFFF);
bytes(<<>>, A) -> A rem 1000003.
words(<<X:16/little, Y:32, Z:24/signed, R/binary>>, A) -> words(R, (A + X * 3 + Y bxor Z) rem 1000003);
words(<<R/binary>>, A) -> {byte_size(R), A}.
bits(<<X:3, Y:7/signed, R/bits>>, A) -> bits(R, (A + X * Y) rem 10007);
bits(R, A) -> {bit_size(R), A}.
strings(B) -> strings(B, <<>>, []).
strings(<<$;, R/binary>>, W, A) -> strings(R, <<>>, [W | A]);
strings(<<$=, R/binary>>, W, A) -> strings(R, <<W/binary, "->">>, A);
strings(<<C, R/binary>>, W, A) -> strings(R, <<W/binary, C>>, A);
strings(<<>>, W, A) -> lists:reverse([W | A]).
text(<<C/utf8, R/binary>>, A) -> text(R, A + C);
text(<<>>, A) -> A.

sizes() ->
    Binaries = [<<>>, <<1>>, <<1:3>>, binary:part(<<1, 2, 3, 4>>, 1, 2), binary:copy(<<7>>, 100), bits_from(<<1, 2, 3>>, 3), bits_from(<<1, 2, 3>>, 8)],
    hot:heat(fun byte_size/1, <<1, 2>>, ?HOT),
    hot:heat(fun sized/1, <<1, 2>>, ?HOT),
    {[sized(B) || _ <- lists:seq(1, 3), B <- Binaries], [hot:outcome(fun sized/1, X) || X <- [a, [], {1}, #{}, 1.0, 1 bsl 70, self()]],
     [big(B) || B <- [a, {} | Binaries]]}.
bits_from(B, N) -> <<_:N, R/bits>> = B, R.
sized(B) -> {byte_size(B), byte_size(B) * 8 - bit_size(B)}.
big(B) when byte_size(B) > 1 -> true;
big(_) -> false.

building() ->
    {erlang:phash2([build(I, I * 0.25, <<I>>) || I <- lists:seq(0, 255)]), erlang:phash2(append(?HOT, <<>>)),
     [catch build(X, Y, Z) || {X, Y, Z} <- [{a, 1.0, <<>>}, {1, a, <<>>}, {1, 1.0, a}, {1 bsl 80, 1, <<1:3>>}, {1, 1 bsl 2000, <<>>}]]}.
build(I, F, B) -> <<I:7, I:16/little, F/float, F:32/float, B/binary, "x", (I band 127)/utf8, I:40>>.
append(0, B) -> B;
append(N, B) -> append(N - 1, <<B/bits, N:11>>).

dictionary() ->
    [put({k, I rem 17}, case get({k, I rem 17}) of undefined -> [I]; L when length(L) > 5 -> [I]; L -> [I | L] end) || I <- lists:seq(1, ?HOT)],
    [erase({k, I}) || I <- lists:seq(0, 16)].

comprehensions() ->
    erlang:phash2([{[X * Y || X <- lists:seq(1, N rem 9), Y <- [1, 2, 3], X =/= Y], << <<X:4>> || X <- lists:seq(1, N rem 16), X rem 2 =:= 1 >>,
        [X || <<X:3>> <= <<N:24>>], [A || {ok, A} <- [{ok, N}, error, {ok, a}]]} || N <- lists:seq(1, 500)]).

%% ------------------------------------------------------------------------------------------------ found by random programs

empty_field() ->
    hot:warm(fun no_bits/1),
    [hot:outcome(fun no_bits/1, X) || X <- [5, a, 1.0, 1 bsl 70, <<>>]].
no_bits(X) -> <<8, X:0>>.

%% The sign of zero.
minus_zero() ->
    hot:warm(fun less_zero/1),
    hot:warm(fun(_) -> divided(3, 0) end),
    [<<(F(X)):64/float>> || F <- [fun less_zero/1, fun less_float/1], X <- [-0.0, 0.0, 1.5]] ++ [less_zero(7), sign(-0.0), sign(0.0), [<<(divided(N, 0)):64/float>> || N <- [0, 1, 5]]].
divided(0, X) -> X / -2.5;
divided(N, X) -> divided(N - 1, X) - 0.
less_zero(X) -> X - 0.
less_float(X) when is_float(X) -> X - 0.
sign(X) when X - 0 =:= -0.0 -> minus;
sign(_) -> plus.

map_keys() ->
    Maps = [#{a => {b}, 17 => [c], 1.0 => d}, #{a => 1, 17 => 2}, #{a => 1, 17 => 2, 1 => 3}, #{}, maps:from_list([{I, I} || I <- [a, 1.0 | lists:seq(1, 40)]])],
    [lists:usort([F(M) || _ <- lists:seq(1, ?HOT div 5)]) || F <- [fun three_keys/1, fun four_keys/1, fun two_keys/1], M <- Maps].
%% The first value takes the register of the map.
three_keys(#{a := A, 17 := B, 1.0 := C}) -> {A, B, C};
three_keys(_) -> none.
four_keys(#{a := A, 17 := B, 1.0 := C, 2 := D}) -> {D, C, A, B};
four_keys(_) -> none.
two_keys(#{a := A, 1.0 := {B}}) -> [A | B];
two_keys(#{a := A, 1.0 := C}) -> [C | A];
two_keys(_) -> none.

%% Becomes hot while calls of it lead to a breakpoint.
traced() ->
    1 = erlang:trace_pattern({?MODULE, counted, 2}, true, [call_count]),
    Sum = counted(20000, 0),
    {call_count, Count} = erlang:trace_info({?MODULE, counted, 2}, call_count),
    1 = erlang:trace_pattern({?MODULE, counted, 2}, false, [call_count]),
    {Sum, Count, counted(20000, 0)}.
counted(0, A) -> A;
counted(N, A) -> counted(N - 1, A + N).
