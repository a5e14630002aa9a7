%% schedulers_online, multi_scheduling, and what statistics and system_info say of threads and collections. How many
%% schedulers there are differs from run to run: outcomes are compared with that number.
-module(online_tests).
-export([tests/0]).

tests() ->
    [{online, fun online/0}, {online_errors, fun online_errors/0}, {one_runs_all, fun one_runs_all/0},
     {timers, fun timers/0}, {changes, fun changes/0}, {dirty_online, fun dirty_online/0}, {block, fun block/0},
     {block_normal, fun block_normal/0}, {blocked_runs, fun blocked_runs/0}, {blocker_dies, fun blocker_dies/0},
     {dirty_work, fun dirty_work/0}, {collections, fun collections/0}, {big_collections, fun big_collections/0}, {microstates, fun microstates/0},
     {microstates_off, fun microstates_off/0}, {flag_errors, fun flag_errors/0}, {statistics_errors, fun statistics_errors/0},
     {wall_time, fun wall_time/0}, {information, fun information/0}, {check_io, fun check_io/0}].

outcome(F) -> try {ok, F()} catch C:R -> {C, R} end.

%% In a process of its own, so that a block ends with it; afterwards everything is as before.
apart(F) ->
    N = erlang:system_info(schedulers_online),
    D = erlang:system_info(dirty_cpu_schedulers_online),
    {Pid, M} = spawn_monitor(fun() -> exit({result, outcome(F)}) end),
    R = receive {'DOWN', M, process, Pid, X} -> X end,
    erlang:system_flag(schedulers_online, N),
    erlang:system_flag(dirty_cpu_schedulers_online, D),
    R.

%% Schedulers on which many processes found themselves.
used() ->
    Self = self(),
    Ps = [spawn(fun() -> lists:seq(1, 500), erlang:yield(), Self ! {id, erlang:system_info(scheduler_id)} end) ||
             _ <- lists:seq(1, 300)],
    lists:usort([receive {id, I} -> I end || _ <- Ps]).

online() ->
    apart(fun() ->
        All = erlang:system_info(schedulers),
        Was = erlang:system_info(schedulers_online),
        Old = erlang:system_flag(schedulers_online, 1),
        [Old =:= Was, erlang:system_info(schedulers_online), erlang:system_flag(schedulers_online, 1),
         erlang:system_flag(schedulers_online, All), erlang:system_info(schedulers_online) =:= All,
         erlang:system_flag(schedulers_online, Was) =:= All]
    end).

online_errors() ->
    All = erlang:system_info(schedulers),
    [outcome(fun() -> erlang:system_flag(schedulers_online, X) end) || X <- [0, -1, All + 1, a, 1.0]] ++
    [outcome(fun() -> erlang:system_flag(dirty_cpu_schedulers_online, X) end) || X <- [0, -1, All + 1, a, 1.0]] ++
    [outcome(fun() -> erlang:system_flag(multi_scheduling, X) end) || X <- [true, 1, unblocked]].

one_runs_all() ->
    apart(fun() ->
        erlang:system_flag(schedulers_online, 1),
        {erlang:system_info(scheduler_id), used(), used()}
    end).

%% Timers that were set on a scheduler fire although it is taken away.
timers() ->
    apart(fun() ->
        Self = self(),
        All = erlang:system_info(schedulers),
        Ps = [spawn_link(fun() -> Self ! set, receive after 60 -> Self ! fired end end) || _ <- lists:seq(1, 20 * All)],
        [receive set -> ok end || _ <- Ps],
        Refs = [erlang:send_after(50, Self, sent) || _ <- lists:seq(1, 20)],
        erlang:system_flag(schedulers_online, 1),
        {length([receive fired -> ok end || _ <- Ps]) =:= 20 * All, length([receive sent -> ok end || _ <- Refs])}
    end).

changes() ->
    apart(fun() ->
        All = erlang:system_info(schedulers),
        Ps = [spawn_monitor(fun() -> work(300) end) || _ <- lists:seq(1, 20)],
        [erlang:system_flag(schedulers_online, 1 + I rem All) || I <- lists:seq(1, 60)],
        lists:usort([receive {'DOWN', M, process, _, R} -> R end || {_, M} <- Ps])
    end).

work(0) -> ok;
work(N) ->
    lists:sort(lists:seq(1, 200)),
    erlang:yield(),
    work(N - 1).

dirty_online() ->
    apart(fun() ->
        All = erlang:system_info(dirty_cpu_schedulers),
        Old = erlang:system_flag(dirty_cpu_schedulers_online, 1),
        Ps = [spawn_monitor(fun() -> exit(erts_debug:dirty_cpu(scheduler, type)) end) || _ <- lists:seq(1, 30)],
        Rs = lists:usort([receive {'DOWN', M, process, _, R} -> R end || {_, M} <- Ps]),
        %% OTP's change takes effect some time later.
        {is_integer(Old), Old =< All, Rs, until(1, fun() -> erlang:system_info(dirty_cpu_schedulers_online) end),
         erlang:system_flag(dirty_cpu_schedulers_online, 1)}
    end).

until(X, F) ->
    case F() of
        X -> X;
        _ -> receive after 5 -> until(X, F) end
    end.

state() ->
    [erlang:system_info(multi_scheduling) |
     [lists:usort([P || P <- erlang:system_info(I), erlang:system_info(schedulers) > 1]) ||
         I <- [multi_scheduling_blockers, normal_multi_scheduling_blockers]]].

%% With one scheduler nobody is named.
expected(Ps) -> [P || P <- Ps, erlang:system_info(schedulers) > 1].

block() ->
    apart(fun() ->
        S = self(),
        [state() =:= [enabled, [], []],
         erlang:system_flag(multi_scheduling, block), state() =:= [blocked, expected([S]), []],
         erlang:system_flag(multi_scheduling, block), erlang:system_flag(multi_scheduling, unblock),
         state() =:= [blocked, expected([S]), []],
         erlang:system_flag(multi_scheduling, unblock), state() =:= [enabled, [], []],
         erlang:system_flag(multi_scheduling, unblock), state() =:= [enabled, [], []]]
    end).

block_normal() ->
    apart(fun() ->
        S = self(),
        [erlang:system_flag(multi_scheduling, block_normal), state() =:= [blocked_normal, [], expected([S])],
         erlang:system_flag(multi_scheduling, block), state() =:= [blocked, expected([S]), expected([S])],
         erlang:system_flag(multi_scheduling, unblock_normal), state() =:= [blocked, expected([S]), []],
         erlang:system_flag(multi_scheduling, unblock_normal),
         erlang:system_flag(multi_scheduling, unblock), state() =:= [enabled, [], []]]
    end).

%% All processes run on one scheduler, and the number online is not changed by that.
blocked_runs() ->
    apart(fun() ->
        N = erlang:system_info(schedulers_online),
        [begin
             erlang:system_flag(multi_scheduling, B),
             R = {length(used()), erlang:system_info(schedulers_online) =:= N},
             erlang:system_flag(multi_scheduling, U),
             R
         end || {B, U} <- [{block, unblock}, {block_normal, unblock_normal}]]
    end).

blocker_dies() ->
    apart(fun() ->
        Self = self(),
        {P, M} = spawn_monitor(fun() ->
            [erlang:system_flag(multi_scheduling, block) || _ <- [1, 2]],
            Self ! blocked,
            receive never -> ok end end),
        receive blocked -> ok end,
        During = state() =:= [blocked, expected([P]), []],
        Mine = erlang:system_flag(multi_scheduling, unblock),
        exit(P, kill),
        receive {'DOWN', M, process, P, R} -> ok end,
        {During, Mine, R, state() =:= [enabled, [], []]}
    end).

%% Native functions on dirty threads go on while multi-scheduling is blocked.
dirty_work() ->
    apart(fun() ->
        erlang:system_flag(multi_scheduling, block_normal),
        Ps = [spawn_monitor(fun() -> exit({erts_debug:dirty_cpu(scheduler, type), erts_debug:dirty_io(scheduler, type)}) end)
                 || _ <- lists:seq(1, 10)],
        lists:usort([receive {'DOWN', M, process, _, R} -> R end || {_, M} <- Ps])
    end).

collections() ->
    {A, B, 0} = erlang:statistics(garbage_collection),
    [begin lists:seq(1, 2000), garbage_collect() end || _ <- lists:seq(1, 20)],
    {C, D, 0} = erlang:statistics(garbage_collection),
    {C - A >= 20, D > B}.

%% Big heaps are collected on dirty CPU threads; signals that come meanwhile are handled afterwards, in order.
big_collections() ->
    erlang:system_flag(microstate_accounting, true),
    Time = fun() ->
        lists:sum([G || #{counters := #{gc := G}, type := dirty_cpu_scheduler} <- erlang:statistics(microstate_accounting)])
    end,
    Before = Time(),
    Big = fun() ->
        T = list_to_tuple(binary_to_term(<<131, 108, 600000:32, (binary:copy(<<108, 1:32, 97, 1, 106>>, 600000))/binary, 106>>)),
        L = list_to_tuple(binary_to_term(<<131, 108, 600000:32, (binary:copy(<<104, 2, 97, 1, 97, 2>>, 600000))/binary, 106>>)),
        garbage_collect(),
        garbage_collect(),
        receive {from, P} -> P ! {sizes, tuple_size(T), tuple_size(L), element(600000, L)} end,
        receive {'EXIT', _, R} -> exit({R, element(7, T)}) end
    end,
    {Pid, M} = spawn_monitor(fun() -> process_flag(trap_exit, true), Big() end),
    async = garbage_collect(Pid, [{async, 1}]),
    async = garbage_collect(Pid, [{async, 2}, {type, minor}]),
    Done = [receive {garbage_collect, N, B} -> B end || N <- [1, 2]],
    Pid ! {from, self()},
    Sizes = receive {sizes, _, _, _} = S -> S end,
    garbage_collect(Pid),
    exit(Pid, enough),
    End = receive {'DOWN', M, process, Pid, R} -> R end,
    After = Time(),
    erlang:system_flag(microstate_accounting, false),
    {Done, Sizes, End, After > Before}.

threads() ->
    lists:sort([{T, I} || #{type := T, id := I} <- erlang:statistics(microstate_accounting),
                          T =/= aux, T =/= poll, T =/= async]).

microstates() ->
    Old = erlang:system_flag(microstate_accounting, true),
    true = erlang:system_flag(microstate_accounting, reset),
    [begin lists:sort([X || X <- lists:seq(1, 2000), X rem 3 =/= 0]), garbage_collect() end || _ <- lists:seq(1, 10)],
    L = erlang:statistics(microstate_accounting),
    Keys = lists:usort([lists:sort(maps:keys(C)) || #{counters := C} <- L]),
    Sum = fun(K) -> lists:sum([maps:get(K, C) || #{counters := C, type := scheduler} <- L]) end,
    Expected = lists:sort([{scheduler, I} || I <- lists:seq(1, erlang:system_info(schedulers))] ++
        [{dirty_cpu_scheduler, I} || I <- lists:seq(1, erlang:system_info(dirty_cpu_schedulers))] ++
        [{dirty_io_scheduler, I} || I <- lists:seq(1, erlang:system_info(dirty_io_schedulers))]),
    On = erlang:system_flag(microstate_accounting, false),
    {Old, On, Keys, threads() =:= Expected, Sum(emulator) > 0, Sum(gc) > 0,
     [K || #{counters := C} <- L, {K, V} <- maps:to_list(C), not is_integer(V) orelse V < 0]}.

microstates_off() ->
    [erlang:system_flag(microstate_accounting, V) || V <- [true, true, reset, false, false, reset]].

flag_errors() ->
    [outcome(fun() -> erlang:system_flag(K, V) end) ||
        {K, V} <- [{microstate_accounting, x}, {microstate_accounting, 1}, {scheduler_wall_time, x},
                   {scheduler_wall_time, 1}, {nosuch, 1}, {max_heap_size, a}, {min_heap_size, -1},
                   {dirty_io_schedulers_online, 1}]].

statistics_errors() -> [outcome(fun() -> erlang:statistics(K) end) || K <- [nosuch, 1, garbage, {a}]].

wall_time() ->
    Old = erlang:system_flag(scheduler_wall_time, true),
    L = erlang:statistics(scheduler_wall_time),
    All = erlang:statistics(scheduler_wall_time_all),
    N = erlang:system_info(schedulers) + erlang:system_info(dirty_cpu_schedulers),
    R = {Old, length(L) =:= N, length(All) =:= N + erlang:system_info(dirty_io_schedulers),
         [T || {_, A, W} = T <- All, A < 0 orelse W < 0], lists:sort([I || {I, _, _} <- L]) =:= lists:seq(1, N)},
    {R, erlang:system_flag(scheduler_wall_time, false), erlang:statistics(scheduler_wall_time)}.

information() ->
    [is_list(erlang:system_info(allocated_areas)),
     lists:all(fun(A) -> is_tuple(A) andalso is_atom(element(1, A)) end, erlang:system_info(allocated_areas)),
     erlang:system_info({cpu_topology, defined}), erlang:system_info(cpu_topology) =:= erlang:system_info({cpu_topology, used}),
     outcome(fun() -> erlang:system_info({cpu_topology, x}) end),
     case erlang:system_info(allocator) of {A, V, F, S} -> {is_atom(A), is_list(V), is_list(F), is_list(S)} end,
     is_list(erlang:system_info({allocator, sys_alloc})),
     erlang:system_info(cpu_quota) =:= unknown orelse is_integer(erlang:system_info(cpu_quota)),
     lists:member(erlang:system_info(scheduler_id), lists:seq(1, erlang:system_info(schedulers)))].

check_io() ->
    L = erlang:system_info(check_io),
    Keys = [total_poll_set_size, max_fds, active_fds, poll_threads, name, primary],
    [lists:all(fun(I) -> [K || K <- Keys, not lists:keymember(K, 1, I)] =:= [] end, L),
     lists:sum([proplists:get_value(poll_threads, I) || I <- L]) > 0].
