%% erlang:system_monitor.
-module(monitor_tests).
-export([tests/0]).

tests() ->
    [{settings, fun settings/0}, {settings2, fun settings2/0}, {monitor_dies, fun monitor_dies/0},
     {dead_monitor, fun dead_monitor/0}, {large_heap, fun large_heap/0}, {not_large, fun not_large/0},
     {own_heap, fun own_heap/0}, {long_gc, fun long_gc/0}, {long_schedule, fun long_schedule/0}].

outcome(F) -> try F() of X -> X catch C:R -> {C, R} end.

%% In a process of its own, which ends and takes the setting with it.
apart(F) ->
    {Pid, M} = spawn_monitor(fun() -> exit({result, outcome(F)}) end),
    R = receive {'DOWN', M, process, Pid, X} -> X end,
    {R, erlang:system_monitor()}.

settings() ->
    apart(fun() ->
        S = self(),
        [{outcome(fun() -> erlang:system_monitor(A) end), erlang:system_monitor()} ||
            A <- [undefined, {S, []}, {S, [busy_port]},
                  {S, [{long_gc, 5}, {large_heap, 1000000}, busy_port, busy_dist_port, {long_schedule, 10}]},
                  {S, [{long_gc, 0}]}, {S, [{large_heap, 0}]}, {S, [{large_heap, -1}]}, {S, [foo]}, {S, foo}, {foo, [busy_port]},
                  foo, {S, [{long_schedule, 0}]}, {S, [{long_schedule, 1}, {long_schedule, 7}]}, {S, [{long_gc, a}]},
                  {S, [busy_port | x]}, {S, [{large_heap, 16385}]}, {S, []}, {S, [{foo, 1}]}, {S, [{long_gc, 1, 2}]},
                  {S, [busy_port]}, undefined]]
    end).

settings2() ->
    apart(fun() ->
        S = self(),
        [{outcome(fun() -> erlang:system_monitor(A, B) end), erlang:system_monitor()} ||
            {A, B} <- [{S, [busy_port]}, {undefined, []}, {undefined, undefined}, {S, [{large_heap, 100}]},
                       {foo, [busy_port]}, {undefined, [busy_port]}, {make_ref(), [busy_port]}]]
    end).

monitor_dies() ->
    {P, M} = spawn_monitor(fun() -> erlang:system_monitor(self(), [busy_port]) end),
    receive {'DOWN', M, process, P, R} -> {R, erlang:system_monitor()} end.

dead_monitor() ->
    {P, M} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', M, process, P, _} -> ok end,
    {outcome(fun() -> erlang:system_monitor(P, [busy_port]) end), erlang:system_monitor()}.

%% Keys of an event's information.
event(Pid, What) -> receive {monitor, Pid, What, Info} -> [K || {K, V} <- Info, is_integer(V)] end.

big() ->
    L = lists:seq(1, 200000),
    garbage_collect(),
    exit({length, length(L)}).

large_heap() ->
    apart(fun() ->
        erlang:system_monitor(self(), [{large_heap, 100000}]),
        {P, M} = spawn_monitor(fun big/0),
        Keys = event(P, large_heap),
        {Keys, receive {'DOWN', M, process, P, R} -> R end}
    end).

not_large() ->
    apart(fun() ->
        erlang:system_monitor(self(), [{large_heap, 1 bsl 40}, {long_gc, 1 bsl 40}]),
        {P, M} = spawn_monitor(fun big/0),
        receive {'DOWN', M, process, P, R} -> {R, receive {monitor, P, _, _} = E -> E after 0 -> none end} end
    end).

own_heap() ->
    apart(fun() ->
        erlang:system_monitor(self(), [{large_heap, 20000}]),
        L = lists:seq(1, 100000),
        garbage_collect(),
        {length(L), receive {monitor, P, _, _} when P =:= self() -> event after 0 -> none end}
    end).

%% Collects until one collection has taken long enough.
long_gc() ->
    apart(fun() ->
        erlang:system_monitor(self(), [{long_gc, 1}]),
        {P, _} = spawn_monitor(fun() -> slow(lists:seq(1, 1000000)) end),
        Keys = event(P, long_gc),
        exit(P, kill),
        Keys
    end).

slow(L) ->
    garbage_collect(),
    slow([0 | L]).

%% A process whose slice takes as long as a native function that does not give way.
long_schedule() ->
    apart(fun() ->
        erlang:system_monitor(self(), [{long_schedule, 20}]),
        {P, M} = spawn_monitor(fun() -> exit(erts_debug:dirty(normal, wait, 60)) end),
        R = receive {'DOWN', M, process, P, X} -> X end,
        {R, receive {monitor, P, long_schedule, [{timeout, T}, {in, _}, {out, _}]} -> T >= 20 end}
    end).
