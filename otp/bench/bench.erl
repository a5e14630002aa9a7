%% Benchmark programs. bench:run(Name) runs one and prints the time it took in microseconds, measured inside the VM;
%% bench:warm(Name) runs it for a while first, and prints the median of the runs after that.
-module(bench).
-export([run/1, warm/1, names/0]).
-export([loop_process/2, ring_process/1]).

names() ->
    [fib, tak, nqueens, sieve, lists, tuples, trees, maps, big_maps, floats, nbody, bignum, binaries, bit_parse,
     strings, messages, ring, spawn, ets, exceptions, funs, sort, sha].

run(Name) ->
    {Time, _} = timer:tc(fun() -> program(Name) end),
    io:format("~b~n", [Time]),
    halt(0).

warm(Name) ->
    warm_up(Name, erlang:monotonic_time(millisecond) + 2500),
    Times = lists:sort([element(1, timer:tc(fun() -> program(Name) end)) || _ <- lists:seq(1, 7)]),
    io:format("~b~n", [lists:nth(4, Times)]),
    halt(0).

warm_up(Name, End) ->
    program(Name),
    case erlang:monotonic_time(millisecond) < End of
        true -> warm_up(Name, End);
        false -> ok
    end.

program(fib) -> fib(30);
program(tak) -> tak(20, 14, 7);
program(nqueens) -> nqueens(8), nqueens(8), nqueens(8);
program(sieve) -> sieve(60000);
program(lists) -> repeat(60, fun list_work/0);
program(tuples) -> tuple_work(300000, {0, 0, 0, 0});
program(trees) -> repeat(10, fun() -> count(tree(16)) end);
program(maps) -> repeat(30000, fun small_map_work/0);
program(big_maps) -> repeat(4, fun big_map_work/0);
program(floats) -> float_loop(2000000, 0.0, 1.0);
program(nbody) -> mandelbrot(60);
program(bignum) -> length(integer_to_list(factorial(3000))) + length(integer_to_list(fibonacci(20000)));
program(binaries) -> repeat(5, fun() -> count_words(build_binary(100000, <<>>), 0) end);
program(bit_parse) -> repeat(10, fun() -> parse_packets(packets(20000), 0) end);
program(strings) -> repeat(100, fun string_work/0);
program(messages) -> ping_pong(200000);
program(ring) -> ring(100, 100000);
program(spawn) -> spawn_many(100000);
program(ets) -> ets_work(100000);
program(exceptions) -> exception_work(300000, 0);
program(funs) -> repeat(60, fun fun_work/0);
program(sort) -> sort_work(200000);
program(sha) -> sha_work(2000, <<"seed">>).

repeat(0, _) -> ok;
repeat(N, F) -> F(), repeat(N - 1, F).

fib(N) when N < 2 -> N;
fib(N) -> fib(N - 1) + fib(N - 2).

tak(X, Y, Z) when Y >= X -> Z;
tak(X, Y, Z) -> tak(tak(X - 1, Y, Z), tak(Y - 1, Z, X), tak(Z - 1, X, Y)).

nqueens(N) -> length(queens(N, N)).
queens(0, _) -> [[]];
queens(K, N) -> [[Q | B] || B <- queens(K - 1, N), Q <- lists:seq(1, N), safe(Q, 1, B)].
safe(_, _, []) -> true;
safe(Q, D, [H | T]) -> Q =/= H andalso abs(Q - H) =/= D andalso safe(Q, D + 1, T).

sieve(N) -> length(sieve_list(lists:seq(2, N), trunc(math:sqrt(N)))).
sieve_list([P | Rest], Limit) when P =< Limit -> [P | sieve_list([X || X <- Rest, X rem P =/= 0], Limit)];
sieve_list(List, _) -> List.

list_work() ->
    L = lists:seq(1, 20000),
    M = lists:map(fun(X) -> X * 3 end, L),
    F = lists:filter(fun(X) -> X band 1 =:= 0 end, M),
    lists:foldl(fun(X, A) -> X + A end, 0, lists:reverse(F) ++ L).

tuple_work(0, T) -> T;
tuple_work(N, {A, B, C, D}) -> tuple_work(N - 1, setelement(1 + N rem 4, {B, C, D, A + 1}, N)).

tree(0) -> leaf;
tree(N) -> {node, tree(N - 1), N, tree(N - 1)}.
count(leaf) -> 0;
count({node, L, _, R}) -> count(L) + 1 + count(R).

small_map_work() ->
    M = #{a => 1, b => 2, c => 3},
    #{a := A} = M1 = M#{a := 5, d => 6},
    maps:fold(fun(_, V, S) -> V + S end, A, M1).

big_map_work() ->
    M = lists:foldl(fun(K, A) -> A#{K => K} end, #{}, lists:seq(1, 20000)),
    lists:foldl(fun(K, S) -> maps:get(K, M) + S end, 0, lists:seq(1, 20000)).

float_loop(0, A, _) -> A;
float_loop(N, A, B) -> float_loop(N - 1, A + B * 0.5, B * 0.999 + 0.001).

mandelbrot(N) -> [[point(X / N * 3 - 2, Y / N * 2 - 1) || X <- lists:seq(0, N)] || Y <- lists:seq(0, N)].
point(X, Y) -> iterate(0.0, 0.0, X, Y, 100).
iterate(_, _, _, _, 0) -> 0;
iterate(A, B, X, Y, N) when A * A + B * B < 4.0 -> iterate(A * A - B * B + X, 2.0 * A * B + Y, X, Y, N - 1);
iterate(_, _, _, _, N) -> N.

factorial(0) -> 1;
factorial(N) -> N * factorial(N - 1).
fibonacci(N) -> fibonacci(N, 0, 1).
fibonacci(0, A, _) -> A;
fibonacci(N, A, B) -> fibonacci(N - 1, B, A + B).

build_binary(0, B) -> B;
build_binary(N, B) -> build_binary(N - 1, <<B/binary, "word ">>).
count_words(<<"word ", Rest/binary>>, N) -> count_words(Rest, N + 1);
count_words(<<>>, N) -> N.

packets(N) -> << <<(I band 255):8, I:24, (I rem 7):4, 5:4, "x">> || I <- lists:seq(1, N) >>.
parse_packets(<<A:8, B:24, C:4, _:4, _/utf8, Rest/binary>>, S) -> parse_packets(Rest, S + A + B + C);
parse_packets(<<>>, S) -> S.

string_work() ->
    S = lists:concat(["item", 1, ",item", 2, ",item", 3, ",", lists:duplicate(200, $x)]),
    Parts = string:tokens(S, ","),
    string:to_upper(lists:flatten(lists:join("-", Parts))).

ping_pong(N) ->
    Parent = self(),
    Pid = spawn_link(?MODULE, loop_process, [Parent, N]),
    ping(Pid, N).
ping(_, 0) -> ok;
ping(Pid, N) -> Pid ! {ping, N}, receive {pong, N} -> ping(Pid, N - 1) end.
loop_process(_, 0) -> ok;
loop_process(Parent, N) -> receive {ping, N} -> Parent ! {pong, N}, loop_process(Parent, N - 1) end.

ring(Size, Hops) ->
    First = lists:foldl(fun(_, Next) -> spawn_link(?MODULE, ring_process, [Next]) end, self(), lists:seq(1, Size)),
    First ! Hops,
    ring_wait(First).
ring_wait(First) -> receive N when N =< 0 -> ok; N -> First ! N - 1, ring_wait(First) end.
ring_process(Next) -> receive N -> Next ! N - 1, ring_process(Next) end.

spawn_many(N) ->
    Parent = self(),
    [spawn(fun() -> Parent ! done end) || _ <- lists:seq(1, N)],
    [receive done -> ok end || _ <- lists:seq(1, N)],
    ok.

ets_work(N) ->
    T = ets:new(t, [set]),
    [ets:insert(T, {I, I * 2, foo}) || I <- lists:seq(1, N)],
    S = lists:sum([element(2, hd(ets:lookup(T, I))) || I <- lists:seq(1, N)]),
    ets:delete(T),
    S.

exception_work(0, A) -> A;
exception_work(N, A) ->
    V = try raise(N) catch throw:X -> X; error:_ -> 1 end,
    exception_work(N - 1, A + V).
raise(N) when N rem 2 =:= 0 -> throw(N);
raise(N) -> error({bad, N}).

fun_work() ->
    Add = fun(X) -> fun(Y) -> X + Y end end,
    lists:foldl(fun(X, A) -> (Add(X))(A) end, 0, lists:seq(1, 20000)).

sort_work(N) ->
    L = pseudo_random(N, 42, []),
    length(lists:usort(L)) + length(lists:sort(fun(A, B) -> A >= B end, L)).
pseudo_random(0, _, L) -> L;
pseudo_random(N, S, L) -> pseudo_random(N - 1, (S * 1103515245 + 12345) band 16#7fffffff, [S | L]).

%% A hash in Erlang: 32-bit rotations and additions.
sha_work(0, B) -> B;
sha_work(N, B) -> sha_work(N - 1, mix(B)).
mix(B) ->
    {A, C} = lists:foldl(fun round/2, {16#67452301, 16#EFCDAB89}, binary_to_list(B) ++ lists:seq(1, 64)),
    <<A:32, C:32>>.
round(X, {A, C}) ->
    T = (rotate(A, 5) + (C bxor X) + 16#5A827999) band 16#FFFFFFFF,
    {C bxor rotate(T, 30), T}.
rotate(X, N) -> ((X bsl N) bor (X bsr (32 - N))) band 16#FFFFFFFF.
