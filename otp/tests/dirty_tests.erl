%% Processes on dirty threads: what others see of them, and signals to them, which must not wait for the native function.
-module(dirty_tests).
-export([tests/0]).

tests() ->
    [{operations, fun operations/0}, {errors, fun errors/0}, {reschedule, fun reschedule/0},
     {info, fun info/0}, {queue, fun queue/0}, {self_after, fun self_after/0}, {alive, fun alive/0},
     {kill, fun kill/0}, {exit_reason, fun exit_reason/0}, {exit_normal, fun exit_normal/0},
     {trapped, fun trapped/0}, {link_breaks, fun link_breaks/0}, {linked, fun linked/0},
     {relations, fun relations/0}, {group_leader, fun group_leader/0}, {suspend, fun suspend/0},
     {suspended_return, fun suspended_return/0}, {collect, fun collect/0}, {collect_later, fun collect_later/0},
     {check_code, fun check_code/0}, {tables, fun tables/0}, {name, fun name/0}, {alias, fun alias/0},
     {order, fun order/0}, {messages, fun messages/0}, {traced, fun traced/0}, {waiting_dies, fun waiting_dies/0},
     {storm, fun storm/0}, {files, fun files/0}, {killed_files, fun killed_files/0}, {prim_file_kinds, fun kinds/0}].

outcome(F) ->
    try {ok, F()}
    catch C:R:S -> {C, R, [{M, N, A, proplists:delete(error_info, L)} || {M, N, A, L} <- S, M =:= erts_debug]}
    end.

%% A process that is on a dirty thread until it is told to end.
held() -> held(fun() -> ok end).
held(Prepare) -> held(Prepare, []).
held(Prepare, Options) ->
    Self = self(),
    {Pid, Monitor} = spawn_opt(
        fun() -> Prepare(), erts_debug:dirty_io(alive_waitexiting, Self), exit(came_back) end, [monitor | Options]),
    receive {alive, Pid} -> {Pid, Monitor} end.

down(Monitor) -> receive {'DOWN', Monitor, process, _, Reason} -> Reason end.

stop({Pid, Monitor}) ->
    exit(Pid, kill),
    down(Monitor).

operations() ->
    [outcome(F) || F <- [
        fun() -> erts_debug:dirty_cpu(scheduler, type) end,
        fun() -> erts_debug:dirty_io(scheduler, type) end,
        fun() -> erts_debug:dirty(normal, scheduler, type) end,
        fun() -> erts_debug:dirty(dirty_cpu, scheduler, type) end,
        fun() -> erts_debug:dirty(dirty_io, scheduler, type) end,
        fun() -> lists:usort(erts_debug:dirty_cpu(copy, {a, [1, 2.5, <<"binary">>], 1 bsl 100})) end,
        fun() -> length(erts_debug:dirty_io(copy, x)) end,
        fun() -> erts_debug:dirty_cpu(wait, 1) end,
        fun() -> erts_debug:dirty_io(send, self()), receive M -> M end end,
        fun() -> erts_debug:dirty(normal, send, self()), receive M -> M end end]].

errors() ->
    [outcome(F) ||
        E <- [notsup, undef, badarith, noproc, system_limit, badarg, something],
        F <- [fun() -> erts_debug:dirty_cpu(error, E) end, fun() -> erts_debug:dirty_io(error, E) end,
              fun() -> erts_debug:dirty(normal, error, E) end, fun() -> erts_debug:dirty(dirty_cpu, error, E) end]] ++
    [outcome(F) || F <- [
        fun() -> erts_debug:dirty_cpu(scheduler, x) end, fun() -> erts_debug:dirty_cpu(what, x) end,
        fun() -> erts_debug:dirty_io(wait, -1) end, fun() -> erts_debug:dirty_io(wait, a) end,
        fun() -> erts_debug:dirty(what, wait, 1) end]].

reschedule() -> [outcome(fun() -> erts_debug:dirty(K, reschedule, N) end) ||
                    K <- [normal, dirty_cpu, dirty_io], N <- [0, 2, 4, 100]].

info() ->
    {Pid, _} = P = held(fun() -> put(key, [value]), process_flag(priority, high) end),
    Items = [status, current_function, initial_call, message_queue_len, messages, links, monitors, dictionary, trap_exit,
             priority, registered_name, suspending, catchlevel, error_handler, message_queue_data],
    One = [process_info(Pid, I) || I <- Items],
    Many = process_info(Pid, Items),
    {current_stacktrace, Stack} = process_info(Pid, current_stacktrace),
    All = [lists:keymember(K, 1, process_info(Pid)) || K <- [current_function, heap_size, reductions, group_leader]],
    {backtrace, Text} = process_info(Pid, backtrace),
    {One, Many, [{M, F, A} || {M, F, A, _} <- Stack], All, is_binary(Text),
     erts_internal:is_process_executing_dirty(Pid), stop(P), erts_internal:is_process_executing_dirty(Pid)}.

queue() ->
    {Pid, _} = P = held(),
    [Pid ! M || M <- [a, {b, 1}, "c"]],
    {process_info(Pid, message_queue_len), process_info(Pid, messages), stop(P)}.

self_after() ->
    [self() ! N || N <- [1, 2, 3]],
    erts_debug:dirty_cpu(wait, 5),
    {process_info(self(), message_queue_len), process_info(self(), messages), process_info(self(), status)}.

alive() ->
    {Pid, _} = P = held(),
    {is_process_alive(Pid), stop(P), is_process_alive(Pid), process_info(Pid), process_info(Pid, status)}.

kill() ->
    {Pid, Monitor} = held(),
    true = exit(Pid, kill),
    Reason = down(Monitor),
    Late = monitor(process, Pid),
    {Reason, down(Late), lists:member(Pid, processes()), catch link(Pid), Pid ! hello, exit(Pid, kill)}.

exit_reason() ->
    {Pid, Monitor} = held(),
    exit(Pid, {shutdown, lists:seq(1, 50), <<0:1000>>, #{a => 1.5}}),
    down(Monitor).

exit_normal() ->
    {Pid, _} = P = held(),
    exit(Pid, normal),
    {is_process_alive(Pid), stop(P)}.

trapped() ->
    {Pid, _} = P = held(fun() -> process_flag(trap_exit, true) end),
    exit(Pid, {some, "reason"}),
    exit(Pid, normal),
    {is_process_alive(Pid), process_info(Pid, messages), stop(P)}.

link_breaks() ->
    Self = self(),
    {Pid, Monitor} = held(),
    {_, M} = spawn_monitor(fun() -> link(Pid), Self ! linked, exit({broken, "here"}) end),
    receive linked -> ok end,
    {down(M), down(Monitor)}.

linked() ->
    process_flag(trap_exit, true),
    {Pid, Monitor} = held(),
    link(Pid),
    exit(Pid, {out, [1]}),
    {receive {'EXIT', Pid, R} -> R end, down(Monitor)}.

relations() ->
    process_flag(trap_exit, true),
    {Pid, _} = P = held(),
    Before = {process_info(Pid, links), length(element(2, process_info(Pid, monitored_by)))},
    link(Pid),
    Ref = monitor(process, Pid),
    During = {process_info(Pid, links) =:= {links, [self()]}, length(element(2, process_info(Pid, monitored_by)))},
    unlink(Pid),
    demonitor(Ref),
    After = {process_info(Pid, links), length(element(2, process_info(Pid, monitored_by)))},
    {Before, During, After, stop(P), receive {'EXIT', Pid, R} -> R after 0 -> none end}.

group_leader() ->
    {Pid, _} = P = held(),
    Done = group_leader(self(), Pid),
    {Done, process_info(Pid, group_leader) =:= {group_leader, self()}, stop(P)}.

%% Who suspends it waits until the native function is at its end.
suspend() ->
    Self = self(),
    {Pid, _} = P = held(),
    Waits = spawn_monitor(fun() -> Self ! ready, exit({done, catch erlang:suspend_process(Pid)}) end),
    receive ready -> ok end,
    true = erlang:suspend_process(Pid, [{asynchronous, {answer, 1}}]),
    Status = process_info(Pid, status),
    Early = receive {{answer, 1}, _} -> answer after 100 -> none end,
    {suspending, [{Pid, _, _}]} = process_info(self(), suspending),
    Resumed = erlang:resume_process(Pid),
    true = erlang:suspend_process(Pid, [{asynchronous, {answer, 2}}]),
    Reason = stop(P),
    {Status, Early, Resumed, Reason,
     [receive {{answer, N}, A} -> A end || N <- [1, 2]],
     case down(element(2, Waits)) of {done, {'EXIT', {E, _}}} -> E; {done, X} -> X end}.

%% It comes back while it is suspended, and goes on when it is resumed.
suspended_return() ->
    Self = self(),
    {Pid, M} = spawn_monitor(fun() ->
        Self ! ready, erts_debug:dirty_io(wait, 50), Self ! back, exit(done) end),
    receive ready -> ok end,
    erlang:suspend_process(Pid),
    Early = receive back -> back after 300 -> none end,
    erlang:resume_process(Pid),
    %% Suspended and resumed while it is away.
    {Pid2, M2} = spawn_monitor(fun() ->
        Self ! ready, erts_debug:dirty_io(wait, 50), Self ! back2, exit(done) end),
    receive ready -> ok end,
    erlang:suspend_process(Pid2, [{asynchronous, a}]),
    erlang:resume_process(Pid2),
    {Early =:= none orelse early, receive back -> back end, down(M), receive back2 -> back end, down(M2),
     receive {a, _} -> answered end}.

collect() ->
    {Pid, _} = P = held(),
    async = garbage_collect(Pid, [{async, 1}]),
    R = stop(P),
    {R, receive {garbage_collect, 1, X} -> X end}.

collect_later() ->
    Self = self(),
    Pid = spawn(fun() -> Self ! ready, erts_debug:dirty_io(wait, 100), receive never -> ok end end),
    receive ready -> ok end,
    {garbage_collect(Pid), garbage_collect(Pid, [{type, minor}]), is_process_alive(Pid), exit(Pid, kill)}.

check_code() ->
    {Pid, _} = P = held(),
    {check_process_code(Pid, lists), check_process_code(Pid, no_such_module),
     check_process_code(Pid, lists, [{async, 7}]), receive {check_process_code, 7, X} -> X end, stop(P)}.

tables() ->
    Self = self(),
    {Pid, Monitor} = held(fun() ->
        T = ets:new(t, [public]),
        H = ets:new(h, [public, {heir, Self, data}]),
        ets:insert(H, {1, 2}),
        Self ! {tables, T, H} end),
    {T, H} = receive {tables, T0, H0} -> {T0, H0} end,
    Before = {ets:info(T, owner) =:= Pid, ets:insert(T, {a})},
    exit(Pid, kill),
    Reason = down(Monitor),
    {Before, Reason, ets:info(T), receive {'ETS-TRANSFER', H, Pid, D} -> D end, ets:tab2list(H)}.

name() ->
    {Pid, Monitor} = held(),
    register(dirty_name, Pid),
    Before = {whereis(dirty_name) =:= Pid, process_info(Pid, registered_name)},
    exit(Pid, kill),
    {Before, down(Monitor), whereis(dirty_name)}.

alias() ->
    Self = self(),
    {Pid, _} = P = held(fun() -> Self ! {alias, erlang:alias()} end),
    A = receive {alias, A0} -> A0 end,
    A ! {through, alias},
    {process_info(Pid, messages), stop(P)}.

%% Signals of one sender in the order in which they were sent.
order() ->
    {Pid, _} = P = held(fun() -> process_flag(trap_exit, true) end),
    Pid ! 1, exit(Pid, a), Pid ! 2, link(Pid), Pid ! 3, exit(Pid, b), unlink(Pid), Pid ! 4,
    {messages, Ms} = process_info(Pid, messages),
    {[case M of {'EXIT', _, R} -> R; _ -> M end || M <- Ms], stop(P)}.

messages() ->
    Self = self(),
    Pid = spawn(fun() ->
        Self ! ready,
        erts_debug:dirty_io(wait, 50),
        Self ! {got, [receive {n, N} -> N end || N <- lists:seq(1, 1000)]} end),
    receive ready -> ok end,
    [Pid ! {n, N} || N <- lists:seq(1, 1000)],
    receive {got, L} -> L =:= lists:seq(1, 1000) end.

traced() ->
    {Pid, _} = P = held(),
    1 = erlang:trace(Pid, true, ['receive', procs]),
    Pid ! hello,
    {process_info(Pid, message_queue_len), stop(P),
     [receive {trace, Pid, K, V} -> {K, V} end || _ <- [1, 2]]}.

%% More than there are threads: those that wait for one can be killed too.
waiting_dies() ->
    Self = self(),
    N = erlang:system_info(dirty_io_schedulers) + 5,
    Ps = [spawn_monitor(fun() -> erts_debug:dirty_io(alive_waitexiting, Self) end) || _ <- lists:seq(1, N)],
    [receive {alive, _} -> ok end || _ <- lists:seq(1, N - 5)],
    Infos = lists:sort([process_info(P, status) || {P, _} <- Ps]),
    [exit(P, kill) || {P, _} <- Ps],
    {Infos, lists:usort([down(M) || {_, M} <- Ps]), [P || {P, _} <- Ps, is_process_alive(P)]}.

storm() ->
    Ps = [spawn_monitor(fun() ->
              [case (I + J) rem 3 of
                   0 -> erts_debug:dirty_cpu(scheduler, type);
                   1 -> erts_debug:dirty_io(copy, [J]);
                   2 -> erts_debug:dirty(dirty_cpu, reschedule, 8)
               end || J <- lists:seq(1, 60)],
              exit(finished)
          end) || I <- lists:seq(1, 60)],
    [begin process_info(P, messages), garbage_collect(P, [{async, P}]), P ! x, is_process_alive(P) end || {P, _} <- Ps],
    [exit(P, kill) || {P, I} <- lists:zip([P || {P, _} <- Ps], lists:seq(1, 60)), I rem 2 =:= 0],
    Reasons = [down(M) || {_, M} <- Ps],
    {length(Reasons), lists:usort(Reasons) -- [killed, finished]}.

path(Name) -> filename:join(os:getenv("ENIGMA_TEST_TMP", "/tmp"), Name).

files() ->
    Self = self(),
    Work = fun(I) ->
        F = path("dirty_" ++ integer_to_list(I)),
        ok = file:write_file(F, binary:copy(<<I>>, 1000 * I)),
        {ok, B} = file:read_file(F),
        {ok, D} = file:open(F, [read, write, raw, binary]),
        {ok, 5} = file:position(D, 5),
        ok = file:write(D, <<"hello">>),
        {ok, <<"hello">>} = file:pread(D, 5, 5),
        ok = file:close(D),
        {ok, Info} = file:read_file_info(F),
        ok = file:delete(F),
        Self ! {done, I, byte_size(B), element(2, Info)}
    end,
    [spawn_link(fun() -> Work(I) end) || I <- lists:seq(1, 30)],
    [receive {done, I, S, T} -> {I, S, T} end || I <- lists:seq(1, 30)].

%% Owners of files that die while a call is under way.
killed_files() ->
    F = path("dirty_killed"),
    ok = file:write_file(F, binary:copy(<<"x">>, 100000)),
    Ps = [spawn_monitor(fun() -> killed_loop(F) end) || _ <- lists:seq(1, 20)],
    [begin is_process_alive(P), exit(P, kill) end || {P, _} <- Ps],
    Reasons = lists:usort([down(M) || {_, M} <- Ps]),
    ok = file:delete(F),
    Reasons.

killed_loop(F) ->
    {ok, D} = file:open(F, [read, raw, binary]),
    {ok, _} = file:read(D, 100000),
    ok = file:close(D),
    killed_loop(F).

kinds() ->
    Path = path("dirty_kinds"),
    [try apply(prim_file, F, [Path | A]) of X -> X catch C:R -> {C, R} end ||
        {F, A} <- [{make_dir, []}, {del_dir, []}, {read_link, []}, {list_dir, []}, {read_file, []}, {delete, []}]].
