%% process_tests.erl: processes and signals: spawning, links, monitors, aliases, exits, names, flags, process_info,
%% suspending, the dictionary. Everything waits for messages, so nothing depends on time.
-module(process_tests).
-export([tests/0, log/2, undefined_function/3, undefined_lambda/3, start/1, start/2, echo/0, wait/0, crash/1, hibernated/1, initial/1]).

tests() ->
    %% Reports go to the tests that ask for them, not between the outcomes.
    _ = logger:remove_handler(default),
    lists:append([spawns(), spawn_options(), spawn_requests(), links(), monitors(), monitor_options(), aliases(),
                  exits(), names(), flags(), infos(), suspends(), leaders(), dictionary(), sends(), texts(), crashes(),
                  bad_arguments(), races()]).

%% What a call does, with the cause in the error_info of the function.
result(F) ->
    try {ok, F()}
    catch
        Class:Reason:Stack -> {Class, Reason, cause(Stack)}
    end.

cause([{M, Name, Args, Info} | _]) ->
    Arity = if is_list(Args) -> length(Args); true -> Args end,
    case lists:keyfind(error_info, 1, Info) of
        {error_info, Map} -> {M, Name, Arity, maps:get(cause, Map, none)};
        false -> {M, Name, Arity, no_info}
    end;
cause(_) -> other.

%% Numbered, as some arguments print differently in every run.
each(Name, F, Arguments) ->
    [{{Name, N}, fun() -> {A, result(fun() -> F(A) end)} end} || {N, A} <- lists:enumerate(Arguments)].

undefined_function(M, F, A) -> {undefined_function, M, F, A}.
undefined_lambda(M, F, A) -> {undefined_lambda, M, is_function(F), A}.
start(A) -> exit({started, A}).
start(A, B) -> exit({started, A, B}).
echo() -> receive {From, X} -> From ! {self(), X}, echo() end.
wait() -> receive stop -> ok end.
crash(R) -> error(R).
initial(P) -> P ! {self(), initial}, wait().

got() -> receive M -> M after 2000 -> nothing end.
nothing() -> receive M -> {unexpected, M} after 0 -> nothing end.
%% How the process that `Spawn` starts ends; again if it was gone before the monitor was there.
ended(Spawn) -> case down(Spawn()) of noproc -> ended(Spawn); R -> R end.
down(Pid) -> M = monitor(process, Pid), receive {'DOWN', M, process, Pid, R} -> R after 5000 -> alive end.
all() -> receive M -> [M | all()] after 0 -> [] end.
%% Handles the signals that were sent to oneself.
settle() -> {messages, M} = process_info(self(), messages), M.
waiter() -> P = spawn(fun wait/0), waiting(P), P.
echoer() -> P = spawn(fun echo/0), waiting(P), P.
dead() -> P = spawn(fun() -> ok end), down(P), P.

spawns() ->
    [{spawn1, fun() -> S = self(), P = spawn(fun() -> S ! {self(), hello} end), receive {P, X} -> X end end},
     {spawn3, fun() -> ended(fun() -> spawn(?MODULE, start, [1]) end) end},
     {spawn3_two, fun() -> ended(fun() -> spawn(?MODULE, start, [1, [two]]) end) end},
     {spawn_undefined_module, fun() -> {undef, [T | _]} = ended(fun() -> spawn(no_such_module, f, [1, 2]) end), T end},
     {spawn_undefined_function, fun() -> {undef, [T | _]} = ended(fun() -> spawn(?MODULE, nope, []) end), T end},
     {spawn_bif, fun() -> ended(fun() -> spawn(erlang, exit, [because]) end) end},
     {spawn_bif_bad, fun() -> {R, [T | _]} = ended(fun() -> spawn(erlang, atom_to_list, [1]) end), {R, T} end},
     {spawn_bif_value, fun() -> ended(fun() -> spawn(erlang, length, [[1, 2]]) end) end},
     {spawn_apply, fun() -> ended(fun() -> spawn(erlang, apply, [fun() -> exit(applied) end, []]) end) end},
     {spawn_fun_arity, fun() -> {R, _} = ended(fun() -> spawn(fun(X) -> X end) end), element(1, R) end},
     {spawn_link3, fun() -> process_flag(trap_exit, true), P = spawn_link(?MODULE, start, [x]),
                            receive {'EXIT', P, R} -> R end end},
     {spawn_monitor3, fun() -> {P, M} = spawn_monitor(?MODULE, start, [x]),
                               receive {'DOWN', M, process, P, R} -> R end end},
     {spawn_many_arguments, fun() -> ended(fun() -> spawn(fun() -> exit(apply(fun(A, B, C, D, E, F, G, H) ->
          [A, B, C, D, E, F, G, H] end, lists:seq(1, 8))) end) end) end},
     {spawn_arity_255, fun() -> {undef, [{M, F, A, _} | _]} = ended(fun() -> spawn(no_module, f, lists:seq(1, 255)) end), {M, F, A} end},
     {spawn_unreachable_node, fun() -> R = ended(fun() -> P = spawn('no@where', ?MODULE, start, [1]), put(p, P), P end), {is_pid(get(p)), node(get(p)), R} end},
     {spawn_own_node, fun() -> ended(fun() -> spawn(node(), ?MODULE, start, [1]) end) end},
     {spawn_own_node_fun, fun() -> ended(fun() -> spawn(node(), fun() -> exit(here) end) end) end},
     {spawn_link_unreachable, fun() -> process_flag(trap_exit, true), P = spawn_link('no@where', ?MODULE, start, [1]),
                                       receive {'EXIT', P, R} -> {is_pid(P), R} after 2000 -> none end end},
     {spawn_monitor_unreachable, fun() -> {P, M} = spawn_monitor('no@where', ?MODULE, start, [1]),
                                          receive {'DOWN', M, process, P, R} -> R after 2000 -> none end end},
     {spawn_opt_unreachable, fun() -> ended(fun() -> spawn_opt('no@where', ?MODULE, start, [1], []) end) end}]
        ++ each(spawn_bad, fun([A, B, C]) -> spawn(A, B, C) end,
                [["m", f, []], [m, "f", []], [m, f, x], [m, f, [a | b]], [m, f, lists:seq(1, 256)]])
        ++ each(spawn_fun_bad, fun(F) -> spawn(F) end, [x, 1, {m, f}, "abc"])
        ++ each(spawn_node_bad, fun([N, F]) -> spawn(N, F) end, [[1, fun() -> ok end], [node(), x], ['a@b', x]])
        ++ each(spawn_link_bad, fun([A, B, C]) -> spawn_link(A, B, C) end, [[1, f, []], [m, 1, []], [m, f, 1]])
        ++ each(spawn_monitor_bad, fun([A, B, C]) -> spawn_monitor(A, B, C) end, [[1, f, []], [m, 1, []], [m, f, 1]]).

spawn_options() ->
    Good = [[], [link], [monitor], [link, monitor], [{priority, low}], [{priority, normal}], [{priority, high}],
            [{priority, max}], [{fullsweep_after, 5}], [{fullsweep_after, 100000}], [{min_heap_size, 1000}],
            [{min_heap_size, 0}], [{min_bin_vheap_size, 100000}], [{min_bin_vheap_size, 1}], [{max_heap_size, 0}],
            [{max_heap_size, 10000}], [{max_heap_size, #{size => 20000}}],
            [{max_heap_size, #{size => 20000, kill => false, error_logger => false}}], [{message_queue_data, on_heap}],
            [{message_queue_data, off_heap}], [{monitor, []}], [{monitor, [{tag, hey}]}],
            [{monitor, [{alias, demonitor}]}], [{scheduler, 1}], [{scheduler, 0}], [{priority, low}, {priority, high}]],
    Bad = [x, [x], [link | monitor], [{priority, x}], [{priority, 1}], [{fullsweep_after, -1}], [{fullsweep_after, x}],
           [{min_heap_size, -1}], [{min_heap_size, a}], [{min_heap_size, 1 bsl 70}], [{max_heap_size, -1}],
           [{max_heap_size, 10}], [{max_heap_size, #{}}], [{max_heap_size, #{size => x}}],
           [{max_heap_size, #{size => 20000, kill => x}}], [{message_queue_data, x}], [{message_queue_data, mixed}],
           [{monitor, x}], [{monitor, [x]}], [{monitor, [{alias, x}]}], [{monitor, [{tag, a} | b]}], [{scheduler, -1}],
           [{scheduler, 2000}], [{unknown, 1}], [{a, b, c}], [monitor, {reply, no}], [{reply_tag, x}], [1], [{link, true}]],
    [{{spawn_opt, O}, fun() -> result(fun() -> options(O) end) end} || O <- Good ++ Bad] ++
    [{{spawn_opt_mfa, O}, fun() -> result(fun() -> shape(spawn_opt(?MODULE, wait, [], O)) end) end}
        || O <- [[link], [monitor], bad, [bad], [{priority, low}]]] ++
    [{{spawn_opt_node, O}, fun() -> result(fun() -> shape(spawn_opt(node(), ?MODULE, wait, [], O)) end) end}
        || O <- [[link], [monitor], bad, [bad]]] ++
    [{{spawn_opt_node_fun, O}, fun() -> result(fun() -> shape(spawn_opt(node(), fun wait/0, O)) end) end}
        || O <- [[link], [monitor], bad, [bad]]] ++
    [{heap_limit_kills, fun() ->
          {P, M} = spawn_opt(fun() -> length(grow(100000)) end,
              [monitor, {max_heap_size, #{size => 5000, kill => true, error_logger => false}}]),
          receive {'DOWN', M, process, P, R} -> R end end},
     {heap_limit_spares, fun() ->
          {P, M} = spawn_opt(fun() -> exit(length(grow(100000))) end,
              [monitor, {max_heap_size, #{size => 5000, kill => false, error_logger => false}}]),
          receive {'DOWN', M, process, P, R} -> R end end},
     {own_heap_limit, fun() ->
          {P, M} = spawn_monitor(fun() -> process_flag(max_heap_size, #{size => 5000, error_logger => false}),
                                          exit(length(grow(100000))) end),
          receive {'DOWN', M, process, P, R} -> R end end}].

grow(0) -> [];
grow(N) -> [N | grow(N - 1)].

options(O) ->
    process_flag(trap_exit, true),
    Made = spawn_opt(fun wait/0, O),
    P = case Made of {Pid, _} -> Pid; Pid -> Pid end,
    Info = process_info(P, [priority, message_queue_data, fullsweep_after, min_bin_vheap_size, max_heap_size]),
    {garbage_collection, G} = process_info(P, garbage_collection),
    Links = process_info(P, links), Monitored = process_info(P, monitored_by),
    Messages = messages_of(P, Made),
    {shape(Made), Info, lists:sort(G), Links, Monitored, Messages}.

%% All that P sends at its end: what it sends for a link comes before what it sends for monitors.
messages_of(P, Made) ->
    M = monitor(process, P),
    P ! stop,
    receive {'DOWN', M, process, P, _} -> ok end,
    Down = case Made of {_, R} -> receive D when element(2, D) =:= R -> [D] after 5000 -> none end; _ -> [] end,
    lists:sort(Down ++ all()).

shape({P, R}) when is_pid(P), is_reference(R) -> {pid, reference};
shape(P) when is_pid(P) -> pid.

spawn_requests() ->
    Good = [[], [link], [monitor], [{reply_tag, hi}], [{reply, yes}], [{reply, no}], [{reply, error_only}],
            [{reply, success_only}], [link, monitor, {priority, low}], [{monitor, [{tag, t}]}], [{monitor, [{alias, demonitor}]}]],
    Bad = [x, [x], [link | x], [{reply, maybe}], [{priority, x}], [{reply_tag, t}, x], [x, {reply_tag, t}],
           [{reply, no}, x], [{reply, error_only}, x], [{reply, success_only}, x], [{monitor, [x]}]],
    [{{spawn_request, O}, fun() -> result(fun() -> request(O) end) end} || O <- Good ++ Bad] ++
    [{spawn_request_mfa, fun() -> R = spawn_request(?MODULE, start, [1], [monitor]), request_messages(R) end},
     {spawn_request_node, fun() -> R = spawn_request(node(), ?MODULE, start, [1], [monitor]), request_messages(R) end},
     {spawn_request_unreachable, fun() -> R = spawn_request('no@where', ?MODULE, start, [1], [monitor]),
                                          receive {spawn_reply, R, A, B} -> {A, B} after 2000 -> none end end},
     {spawn_request_unreachable_quiet, fun() -> spawn_request('no@where', ?MODULE, start, [1], [{reply, no}]), all() end},
     {abandon, fun() -> R = spawn_request(fun wait/0), {spawn_request_abandon(R), spawn_request_abandon(make_ref())} end}]
        ++ each(spawn_request_bad, fun(A) -> apply(erlang, spawn_request, A) end,
                [[x], [x, []], [m, f], [m, f, x], [m, f, [], x], [1, f, [], []], [m, 1, []], [x, y, z, [], []],
                 [node(), m, f, [], x], [1, m, f, [], []]])
        ++ each(abandon_bad, fun(A) -> spawn_request_abandon(A) end, [x, 1, self()]).

request(O) ->
    process_flag(trap_exit, true),
    R = spawn_request(fun() -> exit(done) end, O),
    request_messages(R).

request_messages(R) ->
    First = receive A when element(1, A) =/= 'EXIT', element(1, A) =/= 'DOWN', element(1, A) =/= t -> [A] after 50 -> [] end,
    Rest = lists:sort(collect(50)),
    {is_reference(R), [element(2, M) =:= R || M <- First], First, Rest}.

collect(T) -> receive M -> [M | collect(T)] after T -> [] end.

links() ->
    [{link_unlink, fun() -> process_flag(trap_exit, true), P = spawn(fun wait/0),
          A = link(P), {links, L1} = process_info(self(), links), B = unlink(P), {links, L2} = process_info(self(), links),
          P ! stop, down(P), {A, length(L1), B, L2, nothing()} end},
     {link_twice, fun() -> process_flag(trap_exit, true), P = spawn(fun wait/0), link(P), link(P), M = monitor(process, P), P ! stop,
          receive {'DOWN', M, process, P, _} -> all() end end},
     {link_self, fun() -> {link(self()), process_info(self(), links)} end},
     {unlink_self, fun() -> unlink(self()) end},
     {link_dead, fun() -> P = dead(), result(fun() -> link(P) end) end},
     {link_dead_trapping, fun() -> P = dead(), process_flag(trap_exit, true), R = result(fun() -> link(P) end),
          receive {'EXIT', P, Why} -> {R, Why} after 1000 -> {R, none} end end},
     {unlink_dead, fun() -> unlink(dead()) end},
     {linked_crash, fun() -> {P, M} = spawn_monitor(fun() -> spawn_link(fun() -> exit(boom) end), wait() end),
          receive {'DOWN', M, process, P, R} -> R end end},
     {linked_normal, fun() -> {P, M} = spawn_monitor(fun() -> Q = spawn_link(fun() -> ok end), down(Q), exit(survived) end),
          receive {'DOWN', M, process, P, R} -> R end end},
     {linked_kill, fun() -> process_flag(trap_exit, true), P = spawn_link(fun wait/0), exit(P, kill),
          receive {'EXIT', P, R} -> R end end},
     {linked_killed_chain, fun() -> {P, M} = spawn_monitor(fun() -> Q = spawn_link(fun wait/0), exit(Q, kill), wait() end),
          receive {'DOWN', M, process, P, R} -> R end end},
     {exit_kill_linked, fun() -> {P, M} = spawn_monitor(fun() -> spawn_link(fun() -> exit(kill) end), wait() end),
          receive {'DOWN', M, process, P, R} -> R end end},
     {error_reason, fun() -> process_flag(trap_exit, true), P = spawn_link(fun() -> link(self()), error({some, reason}) end),
          receive {'EXIT', P, {R, S}} -> {R, is_list(S)} end end},
     {throw_reason, fun() -> process_flag(trap_exit, true), P = spawn_link(fun() -> throw(ball) end),
          receive {'EXIT', P, {R, S}} -> {R, is_list(S)} end end},
     {unlink_then_crash, fun() -> process_flag(trap_exit, true), P = spawn_link(fun() -> receive go -> exit(bad) end end),
          unlink(P), P ! go, down(P), all() end},
     {relink, fun() -> process_flag(trap_exit, true), P = spawn_link(fun wait/0), unlink(P), link(P), P ! stop,
          receive {'EXIT', P, R} -> R after 2000 -> none end end},
     {many_links, fun() -> process_flag(trap_exit, true), Ps = [spawn_link(fun wait/0) || _ <- lists:seq(1, 500)],
          [P ! stop || P <- Ps], length([receive {'EXIT', P, normal} -> P end || P <- Ps]) end},
     {link_ring, fun() -> ring(50) end},
     {trap_then_untrap, fun() -> {P, M} = spawn_monitor(fun() -> process_flag(trap_exit, true), exit(self(), one),
          process_flag(trap_exit, false), exit(self(), two), wait() end), receive {'DOWN', M, process, P, R} -> R end end},
     {link_port, fun() -> P = open_port({spawn, "cat"}, []), A = link(P), B = unlink(P), C = link(P), port_close(P),
          {A, B, C} end}]
        ++ each(link_bad, fun(X) -> link(X) end, [x, 1, {a, b}, make_ref()])
        ++ each(unlink_bad, fun(X) -> unlink(X) end, [x, 1, {a, b}, make_ref()]).

%% A ring of linked processes falls when one does.
ring(N) ->
    S = self(),
    {First, M} = spawn_monitor(fun() -> member(N, S, self()) end),
    receive {last, P} -> exit(P, ring_broken) end,
    receive {'DOWN', M, process, First, R} -> R end.
member(0, S, First) -> link(First), S ! {last, self()}, wait();
member(N, S, First) -> spawn_link(fun() -> member(N - 1, S, First) end), wait().

monitors() ->
    [{normal, fun() -> monitored(fun() -> ok end) end},
     {reason, fun() -> monitored(fun() -> exit({some, [reason]}) end) end},
     {dead, fun() -> P = dead(), M = monitor(process, P), receive {'DOWN', M, process, Q, R} -> {P =:= Q, R} end end},
     {no_name, fun() -> M = monitor(process, no_such_name), receive {'DOWN', M, process, Q, R} -> {Q =:= {no_such_name, node()}, R} end end},
     {name, fun() -> P = spawn(fun wait/0), register(pt_monitored, P), M = monitor(process, pt_monitored), P ! stop,
          receive {'DOWN', M, process, Q, R} -> {Q, R} end end},
     {name_node, fun() -> P = spawn(fun wait/0), register(pt_monitored, P), M = monitor(process, {pt_monitored, node()}), P ! stop,
          receive {'DOWN', M, process, Q, R} -> {Q, R} end end},
     {other_node, fun() -> M = monitor(process, {name, 'no@where'}), receive {'DOWN', M, T, Q, R} -> {T, Q, R} end end},
     {self, fun() -> M = monitor(process, self()), {is_reference(M), demonitor(M), demonitor(M, [info])} end},
     {twice, fun() -> P = spawn(fun wait/0), Ms = [monitor(process, P), monitor(process, P)], {monitors, L} = process_info(self(), monitors),
          P ! stop, {length(L), [receive {'DOWN', M, process, P, R} -> R end || M <- Ms], all()} end},
     {demonitor, fun() -> P = spawn(fun wait/0), M = monitor(process, P), A = demonitor(M), P ! stop, down(P), {A, nothing()} end},
     {demonitor_info, fun() -> P = spawn(fun wait/0), M = monitor(process, P), [demonitor(M, [info]), demonitor(M, [info]),
          demonitor(M, []), demonitor(make_ref(), [info])] end},
     {demonitor_flush, fun() -> P = spawn(fun() -> ok end), M = monitor(process, P), monitor(process, P),
          receive {'DOWN', N, _, _, _} when N =/= M -> ok end, A = demonitor(M, [flush]), {A, nothing()} end},
     {demonitor_flush_info, fun() -> P = spawn(fun() -> ok end), M = monitor(process, P), N = monitor(process, P),
          receive {'DOWN', N, _, _, _} -> ok end, A = demonitor(M, [flush, info]), {A, nothing()} end},
     {demonitor_flush_tag, fun() -> P = spawn(fun() -> ok end), M = monitor(process, P, [{tag, {t, 1}}]), N = monitor(process, P),
          receive {'DOWN', N, _, _, _} -> ok end, A = demonitor(M, [flush]), {A, nothing()} end},
     {demonitor_other, fun() -> P = spawn(fun wait/0), S = self(), M = monitor(process, P),
          spawn(fun() -> S ! result(fun() -> demonitor(M) end) end), R = got(), {monitors, L} = process_info(self(), monitors), {R, length(L)} end},
     {monitored_by, fun() -> P = spawn(fun wait/0), monitor(process, P), process_info(P, monitored_by) =:= {monitored_by, [self()]} end},
     {monitor_port, fun() -> P = open_port({spawn, "cat"}, []), M = monitor(port, P), port_close(P),
          receive {'DOWN', M, T, Q, R} -> {T, P =:= Q, R} end end},
     {monitor_port_dead, fun() -> P = open_port({spawn, "cat"}, []), port_close(P), M = monitor(port, P),
          receive {'DOWN', M, T, Q, R} -> {T, P =:= Q, R} end end},
     {monitor_port_name, fun() -> M = monitor(port, no_such_port), receive {'DOWN', M, T, Q, R} -> {T, Q, R} end end},
     {monitor_time_offset, fun() -> M = monitor(time_offset, clock_service), {is_reference(M), demonitor(M, [info])} end}]
        ++ each(monitor_bad, fun([A, B]) -> monitor(A, B) end,
                [[x, self()], [process, 1], [process, "s"], [process, {a, 1}], [process, {1, node()}], [port, self()],
                 [port, 1], [port, {a, 'b@c'}], [time_offset, x], [process, {a, b, c}], [1, 2], [process, make_ref()]])
        ++ each(demonitor_bad, fun(A) -> apply(erlang, demonitor, A) end,
                [[x], [1], [x, []], [make_ref(), x], [make_ref(), [x]], [make_ref(), [flush | info]], [self(), [flush]]]).

monitored(F) ->
    P = spawn(fun() -> receive go -> F() end end),
    M = monitor(process, P),
    P ! go,
    receive {'DOWN', M, process, P, R} -> R end.

monitor_options() ->
    [{tag, fun() -> P = dead(), M = monitor(process, P, [{tag, {my, "tag"}}]), receive {T, M, process, P, R} -> {T, R} end end},
     {tag_later, fun() -> P = spawn(fun wait/0), M = monitor(process, P, [{tag, 1.5}]), P ! stop, receive {T, M, process, P, R} -> {T, R} end end},
     {tag_last, fun() -> P = dead(), M = monitor(process, P, [{tag, a}, {tag, b}]), receive {T, M, process, P, R} -> {T, R} end end},
     {tag_name, fun() -> M = monitor(process, no_such_name, [{tag, t}]), receive {T, M, K, O, R} -> {T, K, O, R} end end}] ++
    [{{alias, Mode, Use}, fun() -> alias_use(Mode, Use) end}
        || Mode <- [explicit_unalias, demonitor, reply_demonitor], Use <- [send, send_twice, demonitor, down, unalias, unalias_twice]] ++
    each(monitor3_bad, fun([A, B, C]) -> monitor(A, B, C) end,
         [[process, self(), x], [process, self(), [x]], [process, self(), [{alias, x}]], [process, self(), [{tag, a} | b]],
          [x, self(), []], [process, x1, [{tag}]], [process, 1, []], [process, 1, [x]]]).

alias_use(Mode, Use) ->
    P = spawn(fun wait/0),
    A = monitor(process, P, [{alias, Mode}]),
    Done = case Use of
        send -> A ! one;
        send_twice -> A ! one, A ! two;
        demonitor -> demonitor(A), A ! one;
        down -> P ! stop, receive {'DOWN', A, process, P, R} -> A ! one, R end;
        unalias -> [unalias(A), begin A ! one, x end];
        unalias_twice -> [unalias(A), unalias(A)]
    end,
    settle(),
    Left = unalias(A),
    P ! stop,
    down(P),
    {Done, Left, [case M of {'DOWN', A, process, P, _} -> down; _ -> M end || M <- all()]}.

aliases() ->
    [{basic, fun() -> A = alias(), A ! hello, got() end},
     {from_other, fun() -> A = alias(), spawn(fun() -> A ! {hello, lists:seq(1, 100)} end), got() end},
     {unalias, fun() -> A = alias(), A ! one, X = unalias(A), A ! two, {X, unalias(A), settle()} end},
     {reply, fun() -> A = alias([reply]), A ! one, A ! two, {settle(), unalias(A)} end},
     {explicit, fun() -> A = alias([explicit_unalias]), A ! one, A ! two, {settle(), unalias(A)} end},
     {both, fun() -> A = alias([reply, explicit_unalias]), A ! one, A ! two, settle() end},
     {after_end, fun() -> S = self(), P = spawn(fun() -> S ! alias() end), down(P), A = got(), A ! x, {is_reference(A), nothing()} end},
     {foreign_unalias, fun() -> A = alias(), S = self(), spawn(fun() -> S ! {r, result(fun() -> unalias(A) end)} end), R = got(), A ! yes, {R, got()} end},
     {plain_ref, fun() -> R = make_ref(), result(fun() -> R ! x end) end},
     {send3, fun() -> A = alias(), [erlang:send(A, x, []), erlang:send(A, y, [nosuspend, noconnect]), settle()] end},
     {order, fun() -> A = alias(), S = self(), S ! 1, A ! 2, S ! 3, A ! 4, settle() end},
     {equal, fun() -> A = alias(), [A =:= A, is_reference(A), A =:= make_ref(), A == binary_to_term(term_to_binary(A))] end},
     {sent_alias, fun() -> A = alias(), B = binary_to_term(term_to_binary(A)), B ! through, got() end}]
        ++ each(alias_bad, fun(X) -> alias(X) end, [x, [x], [reply | explicit_unalias], 1, [reply, x]])
        ++ each(unalias_bad, fun(X) -> unalias(X) end, [x, 1, self()]).

exits() ->
    Reasons = [normal, kill, killed, shutdown, {shutdown, x}, boom, {a, "b"}, 1.5, <<"bin">>],
    [{{exit1, R}, fun() -> ended(fun() -> spawn(fun() -> receive after 0 -> exit(R) end end) end) end} || R <- Reasons] ++
    [{{exit2, R}, fun() -> {P, M} = spawn_monitor(fun wait/0), X = exit(P, R), exit(P, last),
         receive {'DOWN', M, process, P, Why} -> {X, Why} end end} || R <- Reasons] ++
    [{{exit2_trapping, R}, fun() -> S = self(), {P, M} = spawn_monitor(fun() -> process_flag(trap_exit, true), S ! ready, receive X -> exit({got, X}) end end),
         receive ready -> ok end, exit(P, R), receive {'DOWN', M, process, P, Why} -> Why end end} || R <- Reasons] ++
    [{{exit2_self, R}, fun() -> {P, M} = spawn_monitor(fun() -> exit(self(), R), exit(survived) end),
         receive {'DOWN', M, process, P, Why} -> Why end end} || R <- Reasons] ++
    [{{exit2_self_trapping, R}, fun() -> {P, M} = spawn_monitor(fun() -> process_flag(trap_exit, true), exit(self(), R),
             receive X -> exit({got, X}) after 0 -> exit(nothing) end end),
         receive {'DOWN', M, process, P, Why} -> Why end end} || R <- Reasons] ++
    [{{exit_signal_link, R}, fun() -> {P, M} = spawn_monitor(fun() -> process_flag(trap_exit, true), Q = spawn_link(fun() -> exit(R) end),
             receive {'EXIT', Q, X} -> exit({got, X}) end end),
         receive {'DOWN', M, process, P, Why} -> Why end end} || R <- Reasons] ++
    [{exit_dead, fun() -> exit(dead(), x) end},
     {exit_caught, fun() -> S = self(), P = spawn(fun() -> try wait() catch _:X -> S ! {caught, X} end end), exit(P, out), {down(P), nothing()} end},
     {exit_after, fun() -> S = self(), P = spawn(fun() -> try wait() after S ! cleaned end end), exit(P, out), {down(P), nothing()} end},
     {exit_busy, fun() -> P = spawn(fun() -> busy(0) end), exit(P, stop_it), down(P) end},
     {exit_from, fun() -> process_flag(trap_exit, true), P = spawn_link(fun() -> receive after infinity -> ok end end), exit(P, {r, [1]}),
         receive {'EXIT', From, R} -> {From =:= P, R} end end},
     {exit_port, fun() -> P = open_port({spawn, "cat"}, []), R = exit(P, normal), {R, erlang:port_info(P) =/= undefined} end},
     {exit_signal_order, fun() -> S = self(), {P, M} = spawn_monitor(fun() -> process_flag(trap_exit, true), S ! ready, loop([]) end),
         receive ready -> ok end, P ! 1, exit(P, a), P ! 2, exit(P, b), P ! {done, self()}, receive {result, X} -> demonitor(M, [flush]), X end end}]
        ++ each(exit2_bad, fun(X) -> exit(X, reason) end, [x, 1, {a, b}, make_ref()]).

loop(L) ->
    receive
        {done, P} -> P ! {result, lists:reverse(L)};
        {'EXIT', _, R} -> loop([{exit, R} | L]);
        X -> loop([X | L])
    end.
busy(N) -> busy(N + 1).

names() ->
    [{register, fun() -> P = spawn(fun wait/0), A = register(pt_name, P), B = whereis(pt_name) =:= P, C = lists:member(pt_name, registered()),
         D = unregister(pt_name), E = whereis(pt_name), {A, B, C, D, E, process_info(P, registered_name)} end},
     {register_self, fun() -> register(pt_self, self()), pt_self ! hi, {process_info(self(), registered_name), got(), unregister(pt_self)} end},
     {taken, fun() -> register(pt_a, self()), P = spawn(fun wait/0), result(fun() -> register(pt_a, P) end) end},
     {second_name, fun() -> register(pt_a1, self()), result(fun() -> register(pt_b1, self()) end) end},
     {dead, fun() -> P = dead(), result(fun() -> register(pt_dead, P) end) end},
     {released, fun() -> P = spawn(fun wait/0), register(pt_gone, P), P ! stop, down(P), {whereis(pt_gone), result(fun() -> pt_gone ! x end)} end},
     {reuse, fun() -> [begin P = spawn(fun wait/0), register(pt_reuse, P), pt_reuse ! stop, down(P), whereis(pt_reuse) end || _ <- lists:seq(1, 50)] end},
     {port_name, fun() -> P = open_port({spawn, "cat"}, []), register(pt_port, P), A = whereis(pt_port) =:= P, port_close(P), {A, whereis(pt_port)} end},
     {name_node, fun() -> register(pt_nn, self()), {pt_nn, node()} ! x, got() end},
     {name_node_missing, fun() -> result(fun() -> {pt_missing, node()} ! x end) end},
     {send_missing, fun() -> result(fun() -> pt_missing ! x end) end}]
        ++ each(register_bad, fun([A, B]) -> register(A, B) end, [[undefined, self()], [1, self()], [x, y], ["a", self()], [x, make_ref()]])
        ++ each(unregister_bad, fun(X) -> unregister(X) end, [not_there, 1, undefined, "a"])
        ++ each(whereis, fun(X) -> whereis(X) end, [undefined, not_there, 1, "a"]).

flags() ->
    Flags = [{trap_exit, true}, {trap_exit, false}, {trap_exit, x}, {trap_exit, 1}, {sensitive, true}, {sensitive, x},
             {priority, low}, {priority, high}, {priority, max}, {priority, x}, {priority, 1}, {min_heap_size, 1000}, {min_heap_size, 0},
             {min_heap_size, -1}, {min_heap_size, x}, {min_bin_vheap_size, 50000}, {min_bin_vheap_size, -1}, {min_bin_vheap_size, 100},
             {max_heap_size, 0}, {max_heap_size, 100000}, {max_heap_size, 1}, {max_heap_size, x},
             {max_heap_size, #{size => 100000, kill => true}}, {max_heap_size, #{size => 100000, kill => x}}, {max_heap_size, #{}},
             {fullsweep_after, 10}, {fullsweep_after, -1}, {fullsweep_after, x}, {message_queue_data, off_heap},
             {message_queue_data, on_heap}, {message_queue_data, x}, {save_calls, 10}, {save_calls, 0}, {save_calls, -1},
             {save_calls, 10001}, {save_calls, x}, {error_handler, my_handler}, {error_handler, 1}, {monitor_nodes, true},
             {monitor_nodes, false}, {monitor_nodes, x}, {{monitor_nodes, []}, true}, {{monitor_nodes, [nodedown_reason]}, true},
             {{monitor_nodes, [x]}, true}, {{monitor_nodes, [{node_type, all}]}, false}, {unknown, 1}, {1, 1}, {async_dist, true},
             {async_dist, false}, {async_dist, x}, {scheduler, 1}, {scheduler, 0}, {scheduler, -1}, {{x, 1}, 2}],
    [{{process_flag, F, V}, fun() -> result(fun() -> flag(F, V) end) end} || {F, V} <- Flags] ++
    [{{process_flag3, F, V}, fun() -> P = spawn(fun wait/0), result(fun() -> [process_flag(P, F, V), process_flag(P, F, V)] end) end}
        || {F, V} <- [{save_calls, 10}, {save_calls, x}, {save_calls, -1}, {save_calls, 0}, {trap_exit, true}, {x, 1}, {1, 2}]] ++
    [{{process_flag3_bad, P}, fun() -> result(fun() -> process_flag(P, save_calls, 0) end) end} || P <- [x, 1]] ++
    [{process_flag3_dead, fun() -> P = dead(), result(fun() -> process_flag(P, save_calls, 0) end) end},
     {process_flag3_self, fun() -> [process_flag(self(), save_calls, 5), process_flag(self(), save_calls, 0)] end},
     {own_error_handler, fun() -> process_flag(error_handler, ?MODULE), result(fun() -> nothing_here:f(1) end) end}].

flag(F, V) ->
    Old = process_flag(F, V),
    New = process_flag(F, V),
    {Old, New}.

infos() ->
    Items = [backtrace, binary, catchlevel, current_function, current_location, current_stacktrace, dictionary,
             error_handler, fullsweep_after, garbage_collection, garbage_collection_info, group_leader, heap_size, initial_call, links,
             last_calls, memory, message_queue_len, messages, min_heap_size, min_bin_vheap_size, max_heap_size, monitored_by,
             monitors, message_queue_data, parent, priority, reductions, registered_name, sequential_trace_token, stack_size,
             status, suspending, total_heap_size, trace, trap_exit, async_dist, magic_ref],
    Exact = Items -- [backtrace, binary, garbage_collection_info, heap_size, memory, reductions, stack_size, total_heap_size,
                      current_stacktrace, current_location, magic_ref, catchlevel],
    [{{process_info, I}, fun() -> P = waiter(), result(fun() -> process_info(P, I) end) end} || I <- Exact] ++
    [{{process_info_self, I}, fun() -> result(fun() -> process_info(self(), I) end) end}
        || I <- Exact -- [current_function, initial_call, garbage_collection]] ++
    [{{process_info_shape, I}, fun() -> P = waiter(), {I, V} = process_info(P, I), info_shape(V) end} || I <- Items -- Exact] ++
    [{keys, fun() -> P = waiter(), [K || {K, _} <- process_info(P)] end},
     {keys_named, fun() -> P = waiter(), register(pt_info, P), [K || {K, _} <- process_info(P)] end},
     {list, fun() -> P = waiter(), process_info(P, [status, registered_name, links, trap_exit, priority]) end},
     {list_twice, fun() -> process_info(self(), [trap_exit, trap_exit, registered_name]) end},
     {list_empty, fun() -> process_info(self(), []) end},
     {dead, fun() -> P = dead(), [process_info(P), process_info(P, status), process_info(P, [status])] end},
     {messages, fun() -> P = waiter(), P ! {a, [1, 2]}, P ! <<"two">>, P ! 3.0, [process_info(P, messages), process_info(P, message_queue_len)] end},
     {own_messages, fun() -> self() ! a, self() ! b, [process_info(self(), message_queue_len), process_info(self(), messages)] end},
     {waiting, fun() -> S = self(), P = spawn(fun() -> S ! ready, wait() end), receive ready -> ok end, waiting(P),
          [process_info(P, current_function), process_info(P, status)] end},
     {stack, fun() -> S = self(), P = spawn(fun() -> S ! ready, deep(3) end), receive ready -> ok end, waiting(P),
          {current_stacktrace, T} = process_info(P, current_stacktrace), [{M, F, A} || {M, F, A, _} <- T] end},
     {stack_lines, fun() -> S = self(), P = spawn(fun() -> S ! ready, deep(3) end), receive ready -> ok end, waiting(P),
          {current_location, L} = process_info(P, current_location), L end},
     {own_function, fun() -> process_info(self(), current_function) end},
     {own_location, fun() -> process_info(self(), current_location) end},
     {own_stack, fun() -> {_, T} = process_info(self(), current_stacktrace), hd(T) end},
     {initial_call, fun() -> P = spawn(?MODULE, initial, [self()]), receive {P, initial} -> ok end, process_info(P, initial_call) end},
     {initial_call_fun, fun() -> P = waiter(), process_info(P, initial_call) end},
     {dictionary, fun() -> S = self(), P = spawn(fun() -> put(a, 1), put({b, c}, "two"), S ! ready, wait() end), receive ready -> ok end,
          {dictionary, D} = process_info(P, dictionary), lists:sort(D) end},
     {links, fun() -> P = spawn_link(fun wait/0), {process_info(P, links) =:= {links, [self()]}, element(2, process_info(self(), links)) =:= [P]} end},
     {monitors, fun() -> P = waiter(), monitor(process, P), process_info(self(), monitors) =:= {monitors, [{process, P}]} end},
     {monitors_name, fun() -> P = waiter(), register(pt_mon, P), monitor(process, pt_mon), process_info(self(), monitors) end},
     {monitors_port, fun() -> P = open_port({spawn, "cat"}, []), monitor(port, P), process_info(self(), monitors) =:= {monitors, [{port, P}]} end},
     {parent, fun() -> P = waiter(), process_info(P, parent) =:= {parent, self()} end},
     {binary, fun() -> B = binary:copy(<<"x">>, 1000), {binary, L} = process_info(self(), binary), {lists:keymember(1000, 2, L), byte_size(B)} end},
     {trap, fun() -> process_flag(trap_exit, true), process_info(self(), trap_exit) end},
     {backtrace, fun() -> {backtrace, B} = process_info(self(), backtrace), is_binary(B) end},
     {sensitive, fun() -> S = self(), P = spawn(fun() -> process_flag(sensitive, true), put(a, b), S ! ready, wait() end), receive ready -> ok end, P ! msg,
          [process_info(P, messages), process_info(P, dictionary), process_info(P, message_queue_len), process_info(P, current_stacktrace),
           process_info(P, backtrace)] end},
     {save_calls, fun() -> process_flag(save_calls, 3), lists:reverse([1]), {last_calls, L} = process_info(self(), last_calls), is_list(L) end},
     {dictionary_item, fun() -> result(fun() -> process_info(self(), {dictionary, a}) end) end}]
        ++ each(process_info_bad, fun(A) -> apply(erlang, process_info, A) end,
                [[x], [1], [self(), x], [self(), 1], [self(), [x]], [self(), [status | links]], [x, status], [1, []], [self(), "abc"]])
        ++ [{processes, fun() -> P = waiter(), L = processes(), {lists:member(self(), L), lists:member(P, L), lists:member(dead(), L),
                L =:= lists:usort(L)} end},
            {alive, fun() -> P = waiter(), [is_process_alive(self()), is_process_alive(P), is_process_alive(dead())] end},
            {alive_after_exit, fun() -> P = waiter(), exit(P, kill), is_process_alive(P) end}]
        ++ each(alive_bad, fun(X) -> is_process_alive(X) end, [x, 1, make_ref()]).

info_shape(V) when is_integer(V) -> {integer, V >= 0};
info_shape(V) when is_list(V) -> list;
info_shape(V) when is_binary(V) -> binary;
info_shape(V) -> V.

deep(0) -> receive stop -> ok end;
deep(N) -> X = deep(N - 1), [X].
waiting(P) -> case process_info(P, status) of {status, waiting} -> ok; _ -> erlang:yield(), waiting(P) end.

suspends() ->
    [{suspend, fun() -> P = echoer(), A = erlang:suspend_process(P), B = process_info(P, status), P ! {self(), x}, C = quiet(),
          D = erlang:resume_process(P), {A, B, C, D, receive {P, x} -> got end} end},
     {suspend_twice, fun() -> P = echoer(), erlang:suspend_process(P), erlang:suspend_process(P), erlang:resume_process(P), P ! {self(), x}, A = quiet(),
          erlang:resume_process(P), {A, receive {P, x} -> got end} end},
     {unless_suspending, fun() -> P = echoer(), [erlang:suspend_process(P, [unless_suspending]), erlang:suspend_process(P, [unless_suspending]),
          erlang:resume_process(P), process_info(P, status)] end},
     {asynchronous, fun() -> P = echoer(), A = erlang:suspend_process(P, [asynchronous]), {A, process_info(P, status)} end},
     {asynchronous_tag, fun() -> P = echoer(), A = erlang:suspend_process(P, [{asynchronous, tag}]), {A, receive {tag, X} -> X after 2000 -> none end} end},
     {asynchronous_dead, fun() -> P = dead(), A = erlang:suspend_process(P, [{asynchronous, tag}]), {A, receive {tag, X} -> X after 2000 -> none end} end},
     {suspending, fun() -> P = echoer(), erlang:suspend_process(P), erlang:suspend_process(P), {suspending, L} = process_info(self(), suspending),
          [{Q =:= P, X, Y} || {Q, X, Y} <- L] end},
     {resumed_by_end, fun() -> P = echoer(), Q = spawn(fun() -> erlang:suspend_process(P) end), down(Q), P ! {self(), x}, receive {P, x} -> got end end},
     {suspended_killed, fun() -> P = echoer(), erlang:suspend_process(P), exit(P, kill), down(P) end},
     {suspended_exit, fun() -> P = echoer(), erlang:suspend_process(P), exit(P, other), down(P) end},
     {suspended_info, fun() -> P = echoer(), erlang:suspend_process(P), P ! one, process_info(P, [status, message_queue_len, messages]) end},
     {resume_not_suspended, fun() -> P = echoer(), result(fun() -> erlang:resume_process(P) end) end},
     {suspend_self, fun() -> result(fun() -> erlang:suspend_process(self()) end) end},
     {suspend_dead, fun() -> P = dead(), result(fun() -> erlang:suspend_process(P) end) end},
     {resume_dead, fun() -> P = dead(), result(fun() -> erlang:resume_process(P) end) end}]
        ++ each(suspend_bad, fun(A) -> apply(erlang, suspend_process, A) end, [[x], [1], [x, []], [1, [x]]])
        ++ [{suspend_bad_options, fun() -> P = echoer(), [result(fun() -> erlang:suspend_process(P, O) end) || O <- [x, [x], [asynchronous | x], [{asynchronous}]]] end}]
        ++ each(resume_bad, fun(X) -> erlang:resume_process(X) end, [x, 1])
        ++ [{hibernate, fun() -> S = self(), P = spawn(fun() -> S ! ready, erlang:hibernate(?MODULE, hibernated, [S]) end), receive ready -> ok end,
               P ! wake, receive {P, X} -> X end end},
            {hibernate_function, fun() -> P = spawn(fun() -> erlang:hibernate(?MODULE, hibernated, [self()]) end), waiting(P), process_info(P, current_function) end},
            {hibernate_messages, fun() -> S = self(), P = spawn(fun() -> self() ! early, erlang:hibernate(?MODULE, hibernated, [S]) end), receive {P, X} -> X end end},
            {hibernate_undefined, fun() -> P = spawn(fun() -> erlang:hibernate(no_module, f, [1]) end), M = monitor(process, P), P ! x,
               receive {'DOWN', M, process, P, {R, [T | _]}} -> {R, T} end end}]
        ++ each(hibernate_bad, fun([A, B, C]) -> erlang:hibernate(A, B, C) end, [[1, f, []], [m, 1, []], [m, f, x], [m, f, [a | b]]]).

hibernated(S) -> receive X -> S ! {self(), X} end.
quiet() -> receive X -> {unexpected, X} after 20 -> quiet end.

leaders() ->
    [{inherited, fun() -> S = self(), P = spawn(fun() -> S ! {self(), group_leader()} end), receive {P, G} -> G =:= group_leader() end end},
     {set_self, fun() -> P = spawn(fun wait/0), A = group_leader(P, self()), {A, group_leader() =:= P} end},
     {set_other, fun() -> P = spawn(fun wait/0), A = group_leader(self(), P), {A, process_info(P, group_leader) =:= {group_leader, self()}} end},
     {set_dead, fun() -> P = dead(), result(fun() -> group_leader(self(), P) end) end},
     {dead_leader, fun() -> P = dead(), {group_leader(P, self()), group_leader() =:= P} end},
     {io, fun() -> S = self(), P = spawn(fun() -> receive {io_request, From, Ref, Request} -> S ! {request, Request}, From ! {io_reply, Ref, ok} end end),
          group_leader(P, self()), R = io:put_chars("hello"), {R, receive {request, X} -> X end} end}]
        ++ each(leader_bad, fun([A, B]) -> group_leader(A, B) end, [[x, self()], [self(), x], [1, 2], [self(), make_ref()]]).

dictionary() ->
    [{basic, fun() -> [put(a, 1), put(a, 2), get(a), get(b), erase(a), erase(a), get(a)] end},
     {all, fun() -> put(a, 1), put("b", 2), put({c}, 3), {lists:sort(get()), lists:sort(get_keys()), lists:sort(erase()), get(), get_keys()} end},
     {get_keys, fun() -> put(a, 1), put(b, 2), put(c, 1), {lists:sort(get_keys(1)), get_keys(2), get_keys(3), get_keys(1.0)} end},
     {exact_keys, fun() -> put(1, int), put(1.0, float), [get(1), get(1.0), get([]), put([], nil), get([])] end},
     {many, fun() -> [put({k, N}, N) || N <- lists:seq(1, 2000)], [erase({k, N}) || N <- lists:seq(1, 2000, 3)],
          {lists:sum([get({k, N}) || N <- lists:seq(2, 2000, 3)]), length(get()), get({k, 1}), get({k, 2})} end},
     {big_values, fun() -> put(big, lists:seq(1, 10000)), erlang:garbage_collect(), length(get(big)) end}].

sends() ->
    [{{send3, O}, fun() -> result(fun() -> erlang:send(self(), x, O) end) end} || O <- [[], [nosuspend], [noconnect], [noconnect, nosuspend], [x], x, [nosuspend | x]]] ++
    [{{send3_to, T}, fun() -> result(fun() -> erlang:send(T, x, []) end) end} || T <- [x, 1, {a, b}, {a, 1}, "str", {a, b, c}, 1.5]] ++
    [{{send3_noconnect, T}, fun() -> result(fun() -> erlang:send(T, x, [noconnect]) end) end} || T <- [{a, 'b@c'}, {a, node()}]] ++
    [{{send_to, T}, fun() -> result(fun() -> T ! x end) end} || T <- [x, 1, {a, b}, {a, 1}, {1, node()}, "str", {a, b, c}, 1.5, <<"b">>]] ++
    [{send_dead, fun() -> dead() ! x end},
     {send_port, fun() -> P = open_port({spawn, "cat"}, [binary]), P ! {self(), {command, <<"hi">>}}, receive {P, {data, D}} -> D end end},
     {send_port_connect, fun() -> P = open_port({spawn, "cat"}, [binary]), P ! {self(), {connect, self()}}, receive {P, X} -> X after 2000 -> none end end},
     {send_port_close, fun() -> P = open_port({spawn, "cat"}, [binary]), P ! {self(), close}, receive {P, X} -> X after 2000 -> none end end},
     {send_nosuspend, fun() -> P = echoer(), {erlang:send_nosuspend(P, {self(), x}), receive {P, x} -> got end} end},
     {send_large, fun() -> T = {lists:seq(1, 5000), maps:from_list([{N, N} || N <- lists:seq(1, 100)]), binary:copy(<<"a">>, 10000), fun() -> x end},
          self() ! T, got() =:= T end}].

texts() ->
    P = list_to_pid("<0.1.0>"),
    [{pid_text, fun() -> [pid_to_list(P), P =:= list_to_pid("<0.1.0>"), io_lib:format("~p", [P])] end}] ++
    each(list_to_pid, fun(S) -> pid_to_list(list_to_pid(S)) end, ["<0.0.0>", "<0.100.0>", "<0.32767.3>", "<0.268435455.0>", "<0.1.8191>"]) ++
    each(list_to_pid_bad, fun(S) -> list_to_pid(S) end, ["", "<", "<0.1>", "<0.1.0", "0.1.0", "<a.b.c>", "<0.1.0> ", "<5.1.0>", x, [x], <<"<0.1.0>">>, "<0.-1.0>"]) ++
    each(list_to_ref, fun(S) -> ref_to_list(list_to_ref(S)) end, ["#Ref<0.1.2.3>", "#Ref<0.1.131072.3>"]) ++
    each(list_to_ref_bad, fun(S) -> list_to_ref(S) end, ["", "#Ref<>", "#Ref<0.1>", "#Ref<9.1.2.3>", x, 1, "#Ref<0.1.2.3"]) ++
    each(list_to_port, fun(S) -> port_to_list(list_to_port(S)) end, ["#Port<0.1>", "#Port<0.100>"]) ++
    each(list_to_port_bad, fun(S) -> list_to_port(S) end, ["", "#Port<>", "#Port<0>", "#Port<9.1>", x, 1]) ++
    each(to_list_bad, fun(F) -> erlang:F(x) end, [pid_to_list, ref_to_list, port_to_list]).

%% The reports of crashes: the text that the logger's handler makes, with pids taken out.
crashes() ->
    [{{crash, Name}, fun() -> report(F) end} ||
        {Name, F} <- [{error, fun() -> error(oops) end}, {throw, fun() -> throw({ball, 1}) end}, {exit, fun() -> exit(going) end},
                      {badarg, fun() -> atom_to_list(element(2, self_tuple())) end}, {badmatch, fun() -> {a, _} = self_tuple() end},
                      {undef, fun() -> no_module:function(1, two) end}, {badarity, fun() -> (fun(X) -> X end)(1, 2) end},
                      {error_args, fun() -> error(custom, [a, b]) end}, {normal, fun() -> exit(normal) end},
                      {shutdown, fun() -> exit(shutdown) end}]].

self_tuple() -> {b, 1}.

report(F) ->
    S = self(),
    ok = logger:add_handler(?MODULE, ?MODULE, #{config => S}),
    P = spawn(F),
    Why = down(P),
    Expected = Why =:= normal orelse Why =:= shutdown orelse Why =:= going,
    Report = receive {log, #{meta := #{pid := P}} = Event} -> text(Event, P) after if Expected -> 30; true -> 5000 end -> none end,
    ok = logger:remove_handler(?MODULE),
    Report.

log(Event, #{config := S}) -> S ! {log, Event}.

%% The event and its usual text, without time and pid.
text(#{level := Level, msg := Message, meta := Meta} = Event, P) ->
    Text = lists:flatten(logger_formatter:format(Event#{meta => Meta#{time => 0}}, #{template => [level, ": ", msg]})),
    {Level, Message, lists:sort(maps:keys(Meta)), string:replace(Text, pid_to_list(P), "PID", all)}.

bad_arguments() ->
    [{self, fun() -> self() =:= self() end},
     {yield, fun() -> [erlang:yield(), erlang:yield()] end},
     {garbage_collect, fun() -> P = spawn(fun wait/0), [erlang:garbage_collect(), erlang:garbage_collect(P), erlang:garbage_collect(dead())] end},
     {garbage_collect_async, fun() -> P = spawn(fun wait/0), A = erlang:garbage_collect(P, [{async, id}]), {A, receive {garbage_collect, id, X} -> X after 2000 -> none end} end},
     {garbage_collect_minor, fun() -> P = spawn(fun wait/0), [erlang:garbage_collect(P, [{type, minor}]), erlang:garbage_collect(self(), [{type, major}])] end}]
        ++ each(garbage_collect_bad, fun(A) -> apply(erlang, garbage_collect, A) end, [[x], [1], [self(), x], [self(), [x]], [self(), [{type, x}]]])
        ++ each(bump_reductions, fun(X) -> erlang:bump_reductions(X) end, [1, 100, 0, -1, x, 1 bsl 40, 1 bsl 70])
        ++ each(check_process_code, fun(A) -> apply(erlang, check_process_code, A) end,
                [[self(), lists], [x, lists], [self(), 1], [self(), lists, []], [self(), lists, [x]], [self(), no_such]]).

%% Two processes that link, unlink and monitor each other at the same time.
races() ->
    [{link_race, fun() -> process_flag(trap_exit, true), lists:sum([race(N) || N <- lists:seq(1, 200)]) end},
     {monitor_race, fun() -> lists:sum([monitor_race(N) || N <- lists:seq(1, 200)]) end},
     {spawn_tree, fun() -> tree(10) end},
     {message_ring, fun() -> message_ring(100, 50) end},
     {kill_storm, fun() -> Ps = [spawn(fun() -> busy(0) end) || _ <- lists:seq(1, 50)], [exit(P, kill) || P <- Ps], lists:usort([down(P) || P <- Ps]) end},
     {register_race, fun() -> S = self(), Ps = [spawn(fun() -> S ! {self(), catch register(pt_race, self())}, wait() end) || _ <- lists:seq(1, 20)],
          Rs = [receive {P, true} -> won; {P, {'EXIT', {badarg, _}}} -> lost end || P <- Ps], [P ! stop || P <- Ps],
          {length([x || won <- Rs]), length([x || lost <- Rs])} end}].

race(N) ->
    S = self(),
    P = spawn_link(fun() -> link(S), unlink(S), link(S), exit({n, N}) end),
    receive {'EXIT', P, {n, N}} -> 1 after 5000 -> 0 end.
monitor_race(N) ->
    P = spawn(fun() -> exit({n, N}) end),
    M = monitor(process, P),
    receive {'DOWN', M, process, P, {n, N}} -> 1; {'DOWN', M, process, P, noproc} -> 1 after 5000 -> 0 end.
tree(0) -> 1;
tree(N) ->
    S = self(),
    [spawn(fun() -> S ! {sum, tree(N - 1)} end) || _ <- [1, 2]],
    receive {sum, A} -> receive {sum, B} -> A + B end end.
message_ring(Size, Rounds) ->
    S = self(),
    First = lists:foldl(fun(_, Next) -> spawn(fun() -> forward(Next) end) end, S, lists:seq(1, Size)),
    lists:foldl(fun(N, _) -> First ! {round, N}, receive {round, N} -> N end end, 0, lists:seq(1, Rounds)).
forward(Next) -> receive M -> Next ! M, forward(Next) end.
