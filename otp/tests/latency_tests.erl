%% A process that loops, or calls a long native function, does not keep others from running. Each test lets as many such
%% processes run as there are schedulers and takes the time of messages to another process and back. The bound is far above
%% a slice and far below what a call that never gives way takes, so load on the machine does not matter.
-module(latency_tests).
-export([tests/0, spin/1, walk/2, fact/2]).

-define(BOUND, 250).

tests() ->
    [{N, fun() -> quick(F) end} ||
        {N, F} <- [{loop, fun() -> spin(0) end},
                   {loop_through_funs, fun() -> fun_loop() end},
                   {body_recursion, fun() -> deep() end},
                   {receives, fun() -> receive_loop(0) end},
                   {arithmetic, fun() -> fact(1, 1) end},
                   {exceptions, fun() -> catch_loop() end},
                   {natives, fun() -> native_loop() end},
                   {big_heap, fun() -> grow([], 0) end},
                   {collections, fun() -> L = lists:seq(1, 1500000), collect_loop(L) end},
                   {encode, fun() -> L = lists:seq(1, 1000000), encode_loop(L) end},
                   {dirty, fun() -> dirty_loop() end},
                   {files, fun() -> file_loop() end}]].

quick(Hog) ->
    N = erlang:system_info(schedulers_online),
    Echo = spawn_link(fun echo/0),
    Hogs = [spawn(Hog) || _ <- lists:seq(1, N)],
    %% Time to be compiled.
    receive after 300 -> ok end,
    Times = lists:sort([round_trip(Echo) || _ <- lists:seq(1, 21)]),
    [exit(P, kill) || P <- Hogs],
    unlink(Echo),
    exit(Echo, kill),
    case lists:nth(11, Times) of
        Median when Median < ?BOUND -> quick;
        Median -> {took, Median}
    end.

echo() -> receive {From, ping} -> From ! {self(), pong}, echo() end.

round_trip(Echo) ->
    T = erlang:monotonic_time(millisecond),
    Echo ! {self(), ping},
    receive {Echo, pong} -> ok end,
    Took = erlang:monotonic_time(millisecond) - T,
    receive after 2 -> ok end,
    Took.

spin(N) when N < 0 -> N;
spin(N) -> spin((N + 1) band 16#FFFFFF).

fun_loop() ->
    F = fun(G, N) -> G(G, (N + 1) band 16#FFFFFF) end,
    F(F, 0).

deep() ->
    walk(20000, 0),
    deep().

walk(0, A) -> A;
walk(N, A) -> 1 + walk(N - 1, A).

receive_loop(N) ->
    self() ! N,
    receive N -> receive_loop((N + 1) band 16#FFFFFF) end.

fact(N, A) when N > 400 -> fact(1, A band 1 + 1);
fact(N, A) -> fact(N + 1, A * N).

catch_loop() ->
    try throw(x) catch throw:x -> ok end,
    catch_loop().

native_loop() ->
    lists:member(a, lists:seq(1, 10000)),
    _ = length(integer_to_list(1 bsl 20000)),
    native_loop().

%% A heap of many millions of words.
grow(_, N) when N > 3000000 -> grow([], 0);
grow(L, N) -> grow([{N, N} | L], N + 1).

collect_loop(L) ->
    garbage_collect(),
    put(length, length(L)),
    collect_loop(L).

encode_loop(L) ->
    L = binary_to_term(term_to_binary(L)),
    encode_loop(L).

dirty_loop() ->
    erts_debug:dirty_cpu(wait, 400),
    dirty_loop().

file_loop() ->
    {ok, Fd} = file:open("/dev/zero", [read, raw, binary]),
    {ok, _} = file:read(Fd, 50000000),
    ok = file:close(Fd),
    file_loop().
