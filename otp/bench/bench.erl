%% Benchmark programs. bench:run(Name) runs one and prints the time it took in microseconds, measured inside the VM;
%% bench:warm(Name) runs it for a while first, and prints the median of the runs after that.
-module(bench).
-behaviour(gen_server).
-export([run/1, warm/1, names/0]).
-export([loop_process/2, ring_process/1, init/1, handle_call/3, handle_cast/2]).

names() ->
    [fib, tak, nqueens, sum, sieve, lists, tuples, trees, maps, big_maps, floats, mandelbrot, nbody, spectral, fannkuch,
     matrix, bignum, binaries, bit_parse, json, strings, messages, ring, spawn, calls, ets, exceptions, funs, sort, sha].

run(Name) ->
    {Time, _} = timer:tc(fun() -> program(Name) end),
    io:format("~b~n", [Time]),
    halt(0).

warm(Name) ->
    warm_up(Name, erlang:monotonic_time(millisecond) + 2500),
    Times = lists:sort([element(1, timer:tc(fun() -> program(Name) end)) || _ <- lists:seq(1, 5)]),
    io:format("~b~n", [lists:nth(3, Times)]),
    halt(0).

warm_up(Name, End) ->
    program(Name),
    case erlang:monotonic_time(millisecond) < End of
        true -> warm_up(Name, End);
        false -> ok
    end.

program(fib) -> fib(34);
program(tak) -> repeat(100, fun() -> tak(20, 14, 7) end);
program(nqueens) -> repeat(20, fun() -> nqueens(9) end);
program(sum) -> sum(100000000, 0);
program(sieve) -> sieve(400000);
program(lists) -> repeat(200, fun list_work/0);
program(tuples) -> tuple_work(5000000, {0, 0, 0, 0});
program(trees) -> repeat(30, fun() -> count(tree(16)) end);
program(maps) -> repeat(400000, fun small_map_work/0);
program(big_maps) -> repeat(20, fun big_map_work/0);
program(floats) -> float_loop(20000000, 0.0, 1.0);
program(mandelbrot) -> mandelbrot(400);
program(nbody) -> nbody(100000);
program(spectral) -> spectral(200);
program(fannkuch) -> fannkuch(9);
program(matrix) -> repeat(20, fun() -> matrix_work(120) end);
program(bignum) -> length(integer_to_list(factorial(6000))) + length(integer_to_list(fibonacci(60000)));
program(binaries) -> repeat(40, fun() -> count_words(build_binary(100000, <<>>), 0) end);
program(bit_parse) -> repeat(60, fun() -> parse_packets(packets(20000), 0) end);
program(json) -> repeat(300, fun json_work/0);
program(strings) -> repeat(10000, fun string_work/0);
program(messages) -> ping_pong(400000);
program(ring) -> ring(100, 1000000);
program(spawn) -> spawn_many(200000);
program(calls) -> server_calls(200000);
program(ets) -> ets_work(400000);
program(exceptions) -> exception_work(2000000, 0);
program(funs) -> repeat(200, fun fun_work/0);
program(sort) -> sort_work(300000);
program(sha) -> sha_work(40000, <<"seed">>).

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

sum(0, A) -> A;
sum(N, A) -> sum(N - 1, A + N).

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

%% The outer planets and the sun, positions and speeds as floats in tuples.
nbody(N) -> energy(steps(N, bodies())).
bodies() ->
    [{0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 39.5}, {4.84, -1.16, -0.10, 0.606, 2.81, -0.02, 0.0377},
     {8.34, 4.12, -0.4, -1.01, 1.82, 0.008, 0.0113}, {12.9, -15.1, -0.22, 1.08, 0.868, -0.01, 0.0017},
     {15.4, -25.9, 0.179, 0.979, 0.594, -0.034, 0.002}].
steps(0, Bodies) -> Bodies;
steps(N, Bodies) -> steps(N - 1, [move(pull(B, Bodies)) || B <- Bodies]).
move({X, Y, Z, U, V, W, M}) -> {X + U * 0.01, Y + V * 0.01, Z + W * 0.01, U, V, W, M}.
pull(Body, []) -> Body;
pull({X, Y, Z, _, _, _, _} = Body, [{X, Y, Z, _, _, _, _} | Rest]) -> pull(Body, Rest);
pull({X, Y, Z, U, V, W, M}, [{X2, Y2, Z2, _, _, _, M2} | Rest]) ->
    DX = X - X2, DY = Y - Y2, DZ = Z - Z2,
    Square = DX * DX + DY * DY + DZ * DZ,
    F = 0.01 * M2 / (Square * math:sqrt(Square)),
    pull({X, Y, Z, U - DX * F, V - DY * F, W - DZ * F, M}, Rest).
energy(Bodies) -> lists:sum([M * (U * U + V * V + W * W) / 2 || {_, _, _, U, V, W, M} <- Bodies]).

spectral(N) ->
    U = spectral(10, N, [1.0 || _ <- lists:seq(1, N)]),
    lists:sum(U).
spectral(0, _, U) -> U;
spectral(K, N, U) -> spectral(K - 1, N, scale(times(N, fun at/2, times(N, fun(I, J) -> at(J, I) end, U)))).
times(N, F, V) -> [dot(F, I, 0, V, 0.0) || I <- lists:seq(0, N - 1)].
dot(_, _, _, [], S) -> S;
dot(F, I, J, [X | Rest], S) -> dot(F, I, J + 1, Rest, S + F(I, J) * X).
at(I, J) -> 1.0 / ((I + J) * (I + J + 1) div 2 + I + 1).
scale(V) -> M = lists:max(V), [X / M || X <- V].

%% Largest number of flips over all permutations of 1..N.
fannkuch(N) -> permute(lists:seq(1, N), [], 0).
permute([], P, Max) -> max(Max, flips(P, 0));
permute(Rest, P, Max) -> choose(Rest, [], P, Max).
choose([], _, _, Max) -> Max;
choose([X | Rest], Seen, P, Max) -> choose(Rest, [X | Seen], P, permute(Seen ++ Rest, [X | P], Max)).
flips([1 | _], C) -> C;
flips([N | _] = P, C) -> flips(flip(N, P, []), C + 1).
flip(0, Rest, Taken) -> Taken ++ Rest;
flip(N, [X | Rest], Taken) -> flip(N - 1, Rest, [X | Taken]).

matrix_work(N) ->
    A = [[I * J rem 17 || J <- lists:seq(1, N)] || I <- lists:seq(1, N)],
    Columns = transpose(A),
    lists:sum([inner(Row, Column, 0) || Row <- A, Column <- Columns]).
transpose([[] | _]) -> [];
transpose(Rows) -> [[hd(R) || R <- Rows] | transpose([tl(R) || R <- Rows])].
inner([], [], S) -> S;
inner([X | Xs], [Y | Ys], S) -> inner(Xs, Ys, S + X * Y).

json_work() ->
    Term = [#{<<"id">> => I, <<"name">> => <<"item ", (integer_to_binary(I))/binary>>, <<"tags">> => [<<"a">>, true, null],
              <<"price">> => I * 1.5} || I <- lists:seq(1, 50)],
    Text = iolist_to_binary(encode(Term)),
    {Term, <<>>} = decode(Text),
    byte_size(Text).
encode(true) -> <<"true">>;
encode(false) -> <<"false">>;
encode(null) -> <<"null">>;
encode(I) when is_integer(I) -> integer_to_binary(I);
encode(F) when is_float(F) -> float_to_binary(F, [short]);
encode(B) when is_binary(B) -> [$", escape(B, <<>>), $"];
encode([]) -> <<"[]">>;
encode([H | T]) -> [$[, encode(H), [[$,, encode(X)] || X <- T], $]];
encode(M) when is_map(M) ->
    [{K, V} | T] = maps:to_list(M),
    [${, encode(K), $:, encode(V), [[$,, encode(A), $:, encode(B)] || {A, B} <- T], $}].
escape(<<>>, Acc) -> Acc;
escape(<<$", R/binary>>, Acc) -> escape(R, <<Acc/binary, "\\\"">>);
escape(<<C, R/binary>>, Acc) -> escape(R, <<Acc/binary, C>>).
decode(<<C, R/binary>>) when C =:= $\s; C =:= $\n -> decode(R);
decode(<<"true", R/binary>>) -> {true, R};
decode(<<"false", R/binary>>) -> {false, R};
decode(<<"null", R/binary>>) -> {null, R};
decode(<<$", R/binary>>) -> decode_string(R, <<>>);
decode(<<$[, R/binary>>) -> decode_list(R, []);
decode(<<${, R/binary>>) -> decode_object(R, []);
decode(B) -> decode_number(B, 0, 0).
decode_string(<<$", R/binary>>, Acc) -> {Acc, R};
decode_string(<<$\\, C, R/binary>>, Acc) -> decode_string(R, <<Acc/binary, C>>);
decode_string(<<C, R/binary>>, Acc) -> decode_string(R, <<Acc/binary, C>>).
decode_list(<<$], R/binary>>, Acc) -> {lists:reverse(Acc), R};
decode_list(<<$,, R/binary>>, Acc) -> decode_list(R, Acc);
decode_list(B, Acc) -> {V, R} = decode(B), decode_list(R, [V | Acc]).
decode_object(<<$}, R/binary>>, Acc) -> {maps:from_list(Acc), R};
decode_object(<<$,, R/binary>>, Acc) -> decode_object(R, Acc);
decode_object(B, Acc) ->
    {K, <<$:, R/binary>>} = decode(B),
    {V, R2} = decode(R),
    decode_object(R2, [{K, V} | Acc]).
decode_number(<<C, R/binary>>, N, L) when C >= $0, C =< $9 -> decode_number(R, N * 10 + C - $0, L);
decode_number(<<$., R/binary>>, N, _) -> decode_fraction(R, N, 0.1);
decode_number(R, N, _) -> {N, R}.
decode_fraction(<<C, R/binary>>, N, Scale) when C >= $0, C =< $9 -> decode_fraction(R, N + (C - $0) * Scale, Scale / 10);
decode_fraction(R, N, _) -> {float(N), R}.

server_calls(N) ->
    {ok, Pid} = gen_server:start_link(?MODULE, 0, []),
    N = call_times(Pid, N, 0),
    gen_server:stop(Pid),
    N.
call_times(_, 0, Last) -> Last;
call_times(Pid, N, _) -> call_times(Pid, N - 1, gen_server:call(Pid, next)).
init(State) -> {ok, State}.
handle_call(next, _, State) -> {reply, State + 1, State + 1}.
handle_cast(_, State) -> {noreply, State}.
