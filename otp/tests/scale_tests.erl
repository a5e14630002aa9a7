%% Large numbers of things, in sizes that the suite can afford. Nothing here may use up the native stack.
-module(scale_tests).
-export([tests/0, idle/0]).

tests() ->
    [{processes, fun() -> processes(50000) end},
     {body_recursion, fun() -> count(3000000) end},
     {long_list, fun() -> length(lists:seq(1, 3000000)) end},
     {deep_list, fun() -> deep_list(300000) end},
     {message_flood, fun() -> flood(200000) end},
     {many_links, fun() -> many_links(20000) end},
     {many_timers, fun() -> many_timers(50000) end},
     {loops_share, fun loops_share/0}].

idle() -> receive stop -> ok end.

processes(N) ->
    Pids = [spawn_monitor(?MODULE, idle, []) || _ <- lists:seq(1, N)],
    [P ! stop || {P, _} <- Pids],
    length([ok || {_, M} <- Pids, receive {'DOWN', M, _, _, normal} -> true end]).

count(0) -> 0;
count(N) -> 1 + count(N - 1).

nest(0, T) -> T;
nest(N, T) -> nest(N - 1, [T]).

%% Copied, compared, hashed, encoded and collected.
deep_list(N) ->
    A = nest(N, x),
    B = nest(N, x),
    self() ! A,
    C = receive M -> M end,
    garbage_collect(),
    {A =:= B, A =:= C, A < nest(N, y), erlang:phash2(A) =:= erlang:phash2(C),
     binary_to_term(term_to_binary(A)) =:= B, erts_debug:flat_size(A)}.

flood(N) ->
    Self = self(),
    spawn(fun() -> [Self ! {I, <<"message">>} || I <- lists:seq(1, N)] end),
    lists:foldl(fun(I, Sum) -> receive {I, _} -> Sum + I end end, 0, lists:seq(1, N)).

many_links(N) ->
    process_flag(trap_exit, true),
    Hub = spawn(?MODULE, idle, []),
    Pids = [spawn(fun() -> link(Hub), receive never -> ok end end) || _ <- lists:seq(1, N)],
    Monitors = [monitor(process, P) || P <- Pids],
    (fun Wait() ->
        {links, L} = process_info(Hub, links),
        if length(L) < N -> receive after 10 -> Wait() end; true -> ok end
    end)(),
    exit(Hub, broken),
    length([ok || M <- Monitors, receive {'DOWN', M, _, _, broken} -> true end]).

many_timers(N) ->
    [erlang:send_after(I rem 200, self(), tick) || I <- lists:seq(1, N)],
    length([receive tick -> ok end || _ <- lists:seq(1, N)]).

%% A process gets its turn while as many as ten times the schedulers loop.
loops_share() ->
    Loops = [spawn(fun Spin() -> Spin() end) || _ <- lists:seq(1, 10 * erlang:system_info(schedulers))],
    Echo = spawn(fun Reply() -> receive {P, X} -> P ! X, Reply() end end),
    R = [begin Echo ! {self(), I}, receive I -> I end end || I <- lists:seq(1, 20)],
    [exit(P, kill) || P <- [Echo | Loops]],
    lists:sum(R).
