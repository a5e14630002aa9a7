%% What programs can see of code that has become hot: inlined calls, pre-emption, process_info, code changes, messages.
%% Each function is called often enough for the JIT to take it.
-module(jit_tests).
-export([tests/0]).
-export([spin/2, spin_body/2, ping/1, pong/1, boxes/2, sleeper/1, napping/1]).

-define(HOT, 3000).

tests() ->
    [{killed, fun killed/0}, {suspended, fun suspended/0}, {collected, fun collected/0},
     {current_function, fun current_function/0}, {current_stack, fun current_stack/0}, {shared_fairly, fun shared_fairly/0},
     {exit_signal, fun exit_signal/0}, {reductions_grow, fun reductions_grow/0},
     {old_code_continues, fun old_code_continues/0}, {purge_kills, fun purge_kills/0}, {soft_purge, fun soft_purge/0},
     {many_versions, fun many_versions/0}, {old_fun, fun old_fun/0}, {hot_upgrade, fun hot_upgrade/0},
     {deleted, fun deleted/0}, {traced_callee, fun traced_callee/0}, {inlined_stack, fun inlined_stack/0},
     {inlined_counts, fun inlined_counts/0}, {known_tuples, fun known_tuples/0}, {setelements, fun setelements/0},
     {markers, fun markers/0}, {selective, fun selective/0}, {timeouts, fun timeouts/0}, {hibernation, fun hibernation/0}].

%% ------------------------------------------------------------------------------------------------ inlining

twice(X) -> 2 * half(X) + 1.
half(X) when X > 0 -> X - 1;
half(X) -> X.
doubled(0, Sum) -> Sum;
doubled(N, Sum) -> doubled(N - 1, Sum + twice(N)).

%% A breakpoint in a function whose code others have taken in.
traced_callee() ->
    Hot = doubled(?HOT * 10, 0),
    Tracer = spawn(fun() -> collected([]) end),
    erlang:trace(self(), true, [call, {tracer, Tracer}]),
    %% Once a breakpoint is gone the code becomes native again, and the next one counts all the same.
    Rounds = [begin
        erlang:trace_pattern({?MODULE, half, 1}, true, Flags),
        Traced = doubled(3, 0),
        Counted = erlang:trace_info({?MODULE, half, 1}, call_count),
        erlang:trace_pattern({?MODULE, half, 1}, false, Flags),
        Tracer ! {all, self()},
        {Traced, Counted, receive {all, List} -> List end, doubled(?HOT * 3, 0)}
    end || Flags <- [[local], [call_count], [local], [global], [local, call_count], [call_count]]],
    erlang:trace(self(), false, [call]),
    exit(Tracer, kill),
    {Hot, Rounds, doubled(?HOT, 0)}.
collected(List) ->
    receive
        {all, To} -> To ! {all, lists:reverse(List)}, collected([]);
        {trace, _, call, MFA} -> collected([MFA | List])
    end.

wrong(X) -> [checked(X + 1) | []].
checked(X) when X < 0 -> X;
checked(X) -> element(X, {}).
outer(X) -> {wrong(X), X}.

%% Frames of functions that were taken in stand in stack traces as ever.
inlined_stack() ->
    _ = [outer(-5) || _ <- lists:seq(1, ?HOT * 4)],
    try outer(1) catch C:R:S -> {C, R, [{F, A, L} || {?MODULE, F, A, L} <- S]} end.

even(0) -> true;
even(N) -> odd(N - 1).
odd(0) -> false;
odd(N) -> even(N - 1).
short(0, Acc) -> Acc;
short(N, Acc) -> short(N - 1, Acc + N).
plus(A, B) -> A + B.
folded(0, A) -> A;
folded(N, A) -> folded(N - 1, plus(plus(A, N), -N)).

%% Calls are counted as ever, whatever became of them. (The real VM counts returns too, so `folded` is not counted.)
inlined_counts() ->
    [{Name, Value, counted(F)} || {Name, F} <- [{even, fun() -> even(?HOT * 5 + 1) end}, {short, fun() -> short(?HOT * 5 + 3, 1 bsl 57) end},
                                                {overflow, fun() -> short(?HOT, (1 bsl 59) - 20) end}],
                              Value <- [F()]] ++ [folded(?HOT * 5, 7)].

counted(F) ->
    F(),
    Counts = [begin {_, A} = process_info(self(), reductions), F(), {_, B} = process_info(self(), reductions), (B - A) div 100 end
                 || _ <- lists:seq(1, 5)],
    lists:min(Counts).

pair(X) when X rem 7 =:= 0 -> {X};
pair(X) when X rem 5 =:= 0 -> {X, a, b};
pair(X) -> {X, X + 1}.
shape({A, B}) -> A + B;
shape({A}) -> A;
shape(T) when is_tuple(T), tuple_size(T) =:= 3 -> -element(1, T).
shapes(0, Acc) -> Acc;
shapes(N, {S, Last}) -> P = pair(N), shapes(N - 1, {S + shape(P), {P, Last =:= P}}).

known_tuples() -> shapes(?HOT * 5, {0, none}).

rotate(0, T) -> T;
rotate(N, {A, B, C}) -> rotate(N - 1, setelement(1 + N rem 3, {C, A, B}, N)).
set(I, T, V) -> try setelement(I, T, V) catch error:R:S -> {M, F, A, _} = hd(S), {R, M, F, A} end.

setelements() ->
    Big = list_to_tuple(lists:seq(1, 5000)),
    _ = [set(1 + N rem 4, {a, b, c, d}, N) || N <- lists:seq(1, ?HOT * 4)],
    {rotate(?HOT * 5, {1, 2, 3}), [set(I, {a, b}, x) || I <- [0, 1, 2, 3, -1, a, 1 bsl 70, 1.0]], [set(1, T, x) || T <- [{}, a, [], #{}, <<1>>]],
     erlang:phash2([set(N, Big, N * 1.5) || N <- lists:seq(1, 5000, 49)])}.

%% ------------------------------------------------------------------------------------------------ processes

spin(N, Data) when N < 0 -> Data;
spin(N, Data) -> spin(N + 1, Data).

spin_body(0, Data) -> [spin(0, Data) | Data];
spin_body(N, Data) -> [N | spin_body(N - 1, Data)].

spinning(F, Args) ->
    Pid = spawn_opt(?MODULE, F, Args, [monitor]),
    receive after 60 -> Pid end.

killed() ->
    [begin
        {Pid, Monitor} = spinning(F, Args),
        exit(Pid, kill),
        receive {'DOWN', Monitor, process, _, Reason} -> Reason end
     end || {F, Args} <- [{spin, [0, []]}, {spin_body, [50, []]}, {ping, [0]}, {boxes, [0, []]}]].

ping(N) -> pong(N + 1).
pong(N) -> ping(N - 1).

%% Makes garbage all the time.
boxes(N, _) -> boxes(N + 1, {N, [N]}).

suspended() ->
    {Pid, Monitor} = spinning(spin, [0, []]),
    true = erlang:suspend_process(Pid),
    {status, Status} = process_info(Pid, status),
    {reductions, R1} = process_info(Pid, reductions),
    receive after 30 -> ok end,
    {reductions, R2} = process_info(Pid, reductions),
    true = erlang:resume_process(Pid),
    receive after 30 -> ok end,
    {reductions, R3} = process_info(Pid, reductions),
    exit(Pid, kill),
    receive {'DOWN', Monitor, process, _, Reason} -> {Status, R2 - R1 < 200, R3 - R2 > 200, Reason} end.

collected() ->
    Data = [{I, integer_to_binary(I), [I]} || I <- lists:seq(1, 500)],
    {Pid, Monitor} = spinning(sleeper, [{self(), Data, 0}]),
    Answers = [begin true = erlang:garbage_collect(Pid), Pid ! {check, self()}, receive {checked, Sum} -> Sum end end || _ <- lists:seq(1, 20)],
    exit(Pid, kill),
    receive {'DOWN', Monitor, process, _, Reason} -> {lists:usort(Answers), Reason} end.

%% Looks for a message now and then while it works.
sleeper({Parent, Data, N}) ->
    receive
        {check, From} ->
            From ! {checked, lists:sum([I || {I, B, [I]} <- Data, B =:= integer_to_binary(I)])},
            sleeper({Parent, Data, N})
    after 0 -> sleeper({Parent, Data, N + 1})
    end.

current_function() ->
    [begin
        {Pid, _} = spinning(F, Args),
        Seen = [process_info(Pid, current_function) || _ <- lists:seq(1, 20)],
        exit(Pid, kill),
        [] = [S || {current_function, {M, F1, _}} = S <- Seen, M =/= ?MODULE orelse not lists:member(F1, [spin, boxes])],
        hd(Seen)
     end || {F, Args} <- [{spin, [0, []]}, {spin_body, [50, []]}, {boxes, [0, []]}]].

current_stack() ->
    {Pid, _} = spinning(spin_body, [3, []]),
    {current_stacktrace, Stack} = process_info(Pid, current_stacktrace),
    {initial_call, Initial} = process_info(Pid, initial_call),
    exit(Pid, kill),
    {[{F, A, proplists:get_value(line, L)} || {?MODULE, F, A, L} <- tl(Stack)], Initial}.

shared_fairly() ->
    Pids = [element(1, spinning(spin, [0, []])) || _ <- lists:seq(1, 4)],
    Self = self(),
    Server = spawn(fun() -> echo(Self) end),
    Answers = [begin Server ! I, receive {echo, I} -> I end end || I <- lists:seq(1, 20)],
    Grow = [begin {reductions, R} = process_info(P, reductions), R > 4000 end || P <- Pids],
    [exit(P, kill) || P <- [Server | Pids]],
    {lists:sum(Answers), Grow}.

echo(To) -> receive N -> To ! {echo, N}, echo(To) end.

exit_signal() ->
    {Pid, Monitor} = spinning(spin, [0, []]),
    exit(Pid, {bye, 1}),
    receive {'DOWN', Monitor, process, _, Reason} -> Reason end.

reductions_grow() ->
    {Pid, _} = spinning(spin, [0, []]),
    Counts = [begin {reductions, R} = process_info(Pid, reductions), receive after 15 -> R end end || _ <- lists:seq(1, 5)],
    exit(Pid, kill),
    Counts =:= lists:usort(Counts).

%% ------------------------------------------------------------------------------------------------ code changes

version(N) ->
    io_lib:format(
        "version() -> ~w. work(0, A) -> A; work(N, A) -> work(N - 1, A + ~w). make() -> fun(X) -> {X, ~w} end. "
        "run(N) -> receive {ask, P} -> P ! {version, ~w, work(10, 0)}, run(N); {upgrade, P} -> P ! done, ?MODULE:run(N) "
        "after 0 -> run(N + work(3, 0) - ~w * 3) end. ", [N, N, N, N, N]).

running(Name) ->
    Pid = spawn_opt(Name, run, [0], [monitor]),
    receive after 60 -> Pid end.

ask(Pid) ->
    Pid ! {ask, self()},
    receive {version, V, W} -> {V, W} after 5000 -> none end.

old_code_continues() ->
    hot:load(jit_v1, version(1)),
    {Pid, _} = running(jit_v1),
    Before = ask(Pid),
    hot:load(jit_v1, version(2)),
    After = ask(Pid),
    Old = check_process_code(Pid, jit_v1),
    New = jit_v1:version(),
    exit(Pid, kill),
    {Before, After, Old, New, hot:forget(jit_v1)}.

purge_kills() ->
    hot:load(jit_v2, version(1)),
    {Pid, Monitor} = running(jit_v2),
    hot:load(jit_v2, version(2)),
    Purged = code:purge(jit_v2),
    Result = receive {'DOWN', Monitor, process, Pid, Reason} -> Reason after 5000 -> alive end,
    {Purged, Result, jit_v2:version(), jit_v2:work(?HOT, 0), hot:forget(jit_v2)}.

soft_purge() ->
    hot:load(jit_v3, version(1)),
    {Pid, Monitor} = running(jit_v3),
    hot:load(jit_v3, version(2)),
    First = code:soft_purge(jit_v3),
    Pid ! {upgrade, self()},
    receive done -> ok end,
    Now = ask(Pid),
    Second = code:soft_purge(jit_v3),
    exit(Pid, stop),
    Reason = receive {'DOWN', Monitor, process, Pid, R} -> R end,
    {First, Now, Second, Reason, hot:forget(jit_v3)}.

many_versions() ->
    Results = [begin
        hot:load(jit_v4, version(I)),
        {jit_v4:version(), jit_v4:work(300, 0), code:purge(jit_v4), hot_calls(jit_v4, 40)}
     end || I <- lists:seq(1, 25)],
    {Results, hot:forget(jit_v4)}.

hot_calls(_, 0) -> ok;
hot_calls(Module, N) -> 2 = N - N + byte_size(<<(Module:version()):16>>), hot_calls(Module, N - 1).

old_fun() ->
    hot:load(jit_v5, version(1)),
    F = jit_v5:make(),
    Before = lists:usort([F(1) || _ <- lists:seq(1, ?HOT)]),
    hot:load(jit_v5, version(2)),
    Between = F(1),
    code:purge(jit_v5),
    G = jit_v5:make(),
    After = lists:usort([G(1) || _ <- lists:seq(1, ?HOT)]),
    {Before, Between, After, hot:forget(jit_v5)}.

hot_upgrade() ->
    hot:load(jit_v6, version(1)),
    {Pid, _} = running(jit_v6),
    Answers = [begin
        hot:load(jit_v6, version(I)),
        Pid ! {upgrade, self()},
        receive done -> ok end,
        Answer = ask(Pid),
        {code:soft_purge(jit_v6), Answer}
     end || I <- lists:seq(2, 12)],
    exit(Pid, kill),
    {Answers, hot:forget(jit_v6)}.

deleted() ->
    hot:load(jit_v7, version(1)),
    Before = jit_v7:work(?HOT, 0),
    hot:forget(jit_v7),
    {Before, catch jit_v7:work(1, 0), code:is_loaded(jit_v7)}.

%% ------------------------------------------------------------------------------------------------ messages

markers() ->
    Server = spawn_link(fun() -> serve(0) end),
    [self() ! {noise, I} || I <- lists:seq(1, 500)],
    Sum = call_loop(Server, ?HOT, 0),
    unlink(Server),
    exit(Server, kill),
    {Sum, noise(0)}.
call_loop(_, 0, A) -> A;
call_loop(Server, N, A) ->
    Ref = make_ref(),
    Server ! {self(), Ref, N},
    receive {Ref, X} -> call_loop(Server, N - 1, A + X) end.
serve(N) -> receive {From, Ref, X} -> From ! {Ref, X + N rem 2}, serve(N + 1) end.
noise(N) -> receive {noise, _} -> noise(N + 1) after 0 -> N end.

selective() ->
    [self() ! {I rem 7, I} || I <- lists:seq(1, 1400)],
    [take(K, []) || K <- [3, 0, 6, 1, 5, 2, 4]].
take(K, A) ->
    receive {K, I} when I > 3 -> take(K, [I | A])
    after 0 -> {K, length(A), lists:sum(A)}
    end.

timeouts() -> {tick(?HOT, 0), wait_some(5, 0)}.
tick(0, A) -> A;
tick(N, A) -> receive never -> A after 0 -> tick(N - 1, A + 1) end.
wait_some(0, A) -> A;
wait_some(N, A) -> receive never -> A after 2 -> wait_some(N - 1, A + 1) end.

hibernation() ->
    Pid = spawn_link(?MODULE, napping, [{self(), 0}]),
    R = [begin Pid ! {wake, I}, receive {awake, N} -> N end end || I <- lists:seq(1, 300)],
    Pid ! stop,
    {lists:sum(R), lists:last(R)}.
napping({Parent, N}) ->
    receive
        {wake, I} -> Parent ! {awake, N + I}, erlang:hibernate(?MODULE, napping, [{Parent, N + 1}]);
        stop -> ok
    end.
