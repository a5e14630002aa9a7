%% receive_tests.erl: message queues: selective receive, timeouts, markers, order of signals between processes.
-module(receive_tests).
-export([tests/0, wait_forever/0]).

tests() ->
    lists:append([selective(), timeouts(), bad_timeouts(), markers(), orders(), large(), queue_data(), counts()]).

result(F) -> try {ok, F()} catch C:R:S -> {C, R, [{M, N, if is_list(A) -> length(A); true -> A end} || {M, N, A, _} <- lists:sublist(S, 2)]} end.
all() -> receive M -> [M | all()] after 0 -> [] end.
wait_forever() -> receive after infinity -> ok end.

selective() ->
    [{by_tag, fun() -> [self() ! {T, N} || N <- [1, 2, 3], T <- [a, b]], A = [receive {b, N} -> N end || _ <- [1, 2, 3]], {A, all()} end},
     %% The comprehension stands apart: the compiler evaluates what is appended to one before it.
     {by_value, fun() -> [self() ! N || N <- lists:seq(1, 100)], Taken = [receive N -> N end || N <- lists:seq(100, 1, -7)], {Taken, length(all())} end},
     {guards, fun() -> [self() ! N || N <- lists:seq(1, 10)], Taken = [receive N when N rem 3 =:= 0 -> N end || _ <- [1, 2, 3]], {Taken, all()} end},
     {nested, fun() -> [self() ! X || X <- [a, b, c, d]], X = receive c -> receive a -> receive d -> receive b -> done end end end end, {X, all()} end},
     {in_function, fun() -> self() ! {x, 1}, self() ! {y, 2}, {take(y), take(x)} end},
     {timeout_keeps, fun() -> self() ! a, self() ! b, R = receive c -> c after 5 -> none end, {R, all()} end},
     {arrives_while_waiting, fun() -> S = self(), spawn(fun() -> [S ! N || N <- [1, 2, 3]] end), receive 3 -> all() end end},
     {bound, fun() -> R = make_ref(), self() ! {other, 1}, self() ! {R, 2}, {receive {R, X} -> X end, all()} end},
     {bound_variable, fun() -> X = {a, [1, "b"], 2.0}, self() ! {a, [1, "b"], 2}, self() ! X, {receive X -> found end, all()} end},
     {binaries, fun() -> self() ! <<1, 2, 3>>, self() ! <<4, 5>>, {receive <<4, R/binary>> -> R end, all()} end},
     {maps, fun() -> self() ! #{k => 1}, self() ! #{k => 2, l => 3}, {receive #{l := L} -> L end, all()} end},
     {catch_in_receive, fun() -> self() ! {f, fun() -> error(inside) end}, result(fun() -> receive {f, F} -> F() end end) end},
     {try_around, fun() -> self() ! 1, try receive X -> X / 0 end catch error:badarith -> all() end end},
     {tail_loop, fun() -> [self() ! {add, N} || N <- lists:seq(1, 5000)], self() ! stop, loop(0) end},
     {deep_stack, fun() -> [self() ! N || N <- lists:seq(1, 2000)], lists:sum(collect(2000)) end}].

take(Tag) -> receive {Tag, X} -> X end.
loop(S) -> receive {add, N} -> loop(S + N); stop -> S end.
collect(0) -> [];
collect(N) -> X = receive M -> M end, [X | collect(N - 1)].

%% The time stands in a register that others use while the process waits.
forever(Time) -> receive after Time -> over end.
spin(0) -> ok;
spin(N) -> erlang:yield(), spin(N - 1).
disturbed() ->
    Waiting = [spawn_monitor(fun() -> forever(infinity) end) || _ <- lists:seq(1, 5)],
    Busy = [spawn_monitor(fun() -> spin(200) end) || _ <- lists:seq(1, 3)],
    [[P ! N || {P, _} <- Waiting, N <- [1, 2]] || _ <- lists:seq(1, 20), erlang:yield()],
    [receive {'DOWN', M, _, _, normal} -> ok end || {_, M} <- Busy],
    [begin exit(P, kill), receive {'DOWN', M, _, _, Reason} -> Reason end end || {P, M} <- Waiting].

timeouts() ->
    [{infinity_in_register, fun() -> disturbed() end},
     {zero, fun() -> receive x -> x after 0 -> none end end},
     {zero_with_match, fun() -> self() ! x, receive x -> got after 0 -> none end end},
     {zero_without_match, fun() -> self() ! y, {receive x -> got after 0 -> none end, all()} end},
     {only_after, fun() -> receive after 1 -> done end end},
     {only_after_zero, fun() -> receive after 0 -> done end end},
     {variable, fun() -> [receive x -> x after T -> T end || T <- [0, 1, 2, 5]] end},
     {infinity, fun() -> S = self(), spawn(fun() -> receive after 5 -> S ! late end end), receive late -> got after infinity -> never end end},
     {infinity_variable, fun() -> T = list_to_atom("infinity"), S = self(), spawn(fun() -> S ! x end), receive x -> got after T -> never end end},
     {large, fun() -> self() ! x, receive x -> got after 16#ffffffff -> never end end},
     {not_reset_by_other_messages, fun() -> S = self(), P = spawn(fun() -> ticks(S) end), R = receive never -> x after 50 -> timeout end, exit(P, kill),
          {R, receive tick -> some after 0 -> none end} end},
     {elapsed, fun() -> A = erlang:monotonic_time(millisecond), receive after 30 -> ok end, B = erlang:monotonic_time(millisecond), B - A >= 30 end},
     {many_waiting, fun() -> S = self(), Ps = [spawn(fun() -> receive after N rem 7 -> S ! {self(), N} end end) || N <- lists:seq(1, 300)],
          lists:sum([receive {P, N} -> N end || P <- Ps]) end},
     {cancelled_many, fun() -> [begin self() ! N, receive N -> N after 1000 -> timeout end end || N <- lists:seq(1, 2000)] =:= lists:seq(1, 2000) end},
     {value_of_after, fun() -> {receive x -> 1 after 0 -> 2 end, receive x -> 1 after 1 -> {3, 4} end} end},
     {nested_timeouts, fun() -> receive x -> x after 2 -> receive y -> y after 1 -> both end end end},
     {exit_while_waiting, fun() -> P = spawn(fun() -> receive after 100000 -> ok end end), M = monitor(process, P), exit(P, bye),
          receive {'DOWN', M, process, P, R} -> R end end},
     {selective_then_timeout, fun() -> [self() ! {n, N} || N <- lists:seq(1, 1000)], R = receive {m, _} -> x after 1 -> timeout end, {R, length(all())} end}].

ticks(S) -> S ! tick, receive after 1 -> ticks(S) end.

bad_timeouts() ->
    [{{bad_timeout, T}, fun() -> result(fun() -> receive never -> x after T -> y end end) end}
        || T <- [-1, foo, 1.0, 16#100000000, 1 bsl 64, -(1 bsl 64), "1", {1}, 1.5]] ++
    [{{bad_timeout_message_there, T}, fun() -> self() ! m, result(fun() -> receive m -> x after T -> y end end) end} || T <- [-1, foo, 16#100000000]] ++
    [{{bad_timeout_only, T}, fun() -> result(fun() -> receive after T -> y end end) end} || T <- [-1, foo, 16#100000000]].

%% References made before a receive let it skip the messages that were there: the result must not differ.
markers() ->
    [{call, fun() -> P = server(), flood(20000), [call(P, N) || N <- lists:seq(1, 20)] end},
     {call_empty, fun() -> P = server(), [call(P, N) || N <- lists:seq(1, 200)] =:= lists:seq(1, 200) end},
     {monitor_call, fun() -> P = server(), flood(5000), [monitor_call(P, N) || N <- lists:seq(1, 20)] end},
     {alias_call, fun() -> P = server(), flood(5000), [alias_call(P, N) || N <- lists:seq(1, 20)] end},
     {two_references, fun() -> P = server(), flood(100), R1 = make_ref(), R2 = make_ref(), P ! {self(), R2, two}, P ! {self(), R1, one},
          A = receive {R1, X} -> X end, B = receive {R2, Y} -> Y end, {A, B} end},
     {reference_before, fun() -> R = make_ref(), self() ! {R, early}, flood(10), receive {R, X} -> X end end},
     {reference_from_message, fun() -> P = spawn(fun() -> receive {From, R} -> From ! {R, hi} end end), R = make_ref(), P ! {self(), R}, flood(10), receive {R, X} -> X end end},
     {reference_kept, fun() -> R = make_ref(), self() ! {R, 1}, A = receive {R, X} -> X end, flood(10), self() ! {R, 2}, B = receive {R, Y} -> Y end, {A, B} end},
     {many_references, fun() -> P = server(), Rs = [make_ref() || _ <- lists:seq(1, 20)], [P ! {self(), R, N} || {R, N} <- lists:zip(Rs, lists:seq(1, 20))],
          [receive {R, N} -> N end || R <- lists:reverse(Rs)] end},
     {timeout_then_arrives, fun() -> R = make_ref(), flood(100), A = receive {R, X} -> X after 1 -> none end, self() ! {R, late}, B = receive {R, Y} -> Y after 0 -> none end, {A, B} end},
     {in_branches, fun() -> [branch(B) || B <- [true, false]] end},
     {removed_before_marker, fun() -> [self() ! {old, N} || N <- lists:seq(1, 10)], R = make_ref(), self() ! {R, x}, receive {old, 10} -> ok end,
          receive {R, X} -> {X, length(all())} end end},
     {gen_call, fun() -> {ok, P} = gen_server:start(receive_tests_server(), [], []), flood(1000), [gen_server:call(P, N) || N <- [1, 2, 3]] end},
     {down_after_flood, fun() -> P = spawn(fun() -> receive go -> exit(went) end end), flood(1000), M = monitor(process, P), P ! go, receive {'DOWN', M, _, _, R} -> R end end},
     {spawn_monitor_flood, fun() -> flood(1000), {P, M} = spawn_monitor(fun() -> exit(fast) end), receive {'DOWN', M, process, P, R} -> R end end}].

%% A gen_server callback module without a file of its own.
receive_tests_server() ->
    Forms = [{attribute, 1, module, receive_tests_server}, {attribute, 1, export, [{init, 1}, {handle_call, 3}, {handle_cast, 2}]},
             {function, 2, init, 1, [{clause, 2, [{var, 2, '_'}], [], [{tuple, 2, [{atom, 2, ok}, {nil, 2}]}]}]},
             {function, 3, handle_call, 3, [{clause, 3, [{var, 3, 'X'}, {var, 3, '_'}, {var, 3, 'S'}], [],
                 [{tuple, 3, [{atom, 3, reply}, {tuple, 3, [{atom, 3, got}, {var, 3, 'X'}]}, {var, 3, 'S'}]}]}]},
             {function, 4, handle_cast, 2, [{clause, 4, [{var, 4, '_'}, {var, 4, 'S'}], [], [{tuple, 4, [{atom, 4, noreply}, {var, 4, 'S'}]}]}]}],
    {ok, M, B} = compile:forms(Forms, []),
    {module, M} = code:load_binary(M, "receive_tests_server.erl", B),
    M.

branch(B) ->
    R = make_ref(),
    if B -> self() ! {R, 1}; true -> self() ! {R, 2}, self() ! {R, 3} end,
    receive {R, X} -> {X, all() =/= []} end.

flood(N) -> [self() ! {junk, I} || I <- lists:seq(1, N)], ok.
server() -> spawn(fun serve/0).
serve() ->
    receive
        {From, Ref, X} when is_pid(From) -> From ! {Ref, X}, serve();
        {alias, Alias, X} -> Alias ! {Alias, X}, serve()
    end.
call(P, X) -> R = make_ref(), P ! {self(), R, X}, receive {R, Y} -> Y end.
monitor_call(P, X) ->
    M = monitor(process, P),
    P ! {self(), M, X},
    receive {M, Y} -> demonitor(M, [flush]), Y; {'DOWN', M, _, _, R} -> {down, R} end.
alias_call(P, X) ->
    M = monitor(process, P, [{alias, reply_demonitor}]),
    P ! {alias, M, X},
    receive {M, Y} -> Y; {'DOWN', M, _, _, R} -> {down, R} end.

orders() ->
    [{pair, fun() -> S = self(), spawn(fun() -> [S ! N || N <- lists:seq(1, 20000)] end), [receive N -> N end || _ <- lists:seq(1, 20000), N <- [any()], N =/= x] =/= x end},
     {pair_in_order, fun() -> S = self(), spawn(fun() -> [S ! {n, N} || N <- lists:seq(1, 20000)] end), in_order(1, 20000) end},
     {many_senders, fun() -> S = self(), Ps = [spawn(fun() -> [S ! {self(), N} || N <- lists:seq(1, 500)] end) || _ <- lists:seq(1, 20)],
          per_sender(20 * 500, maps:from_list([{P, 1} || P <- Ps])) end},
     {relay, fun() -> S = self(), P = spawn(fun() -> relay(S) end), [P ! N || N <- lists:seq(1, 5000)], [receive N -> N end || N <- lists:seq(1, 5000)] =:= lists:seq(1, 5000) end},
     {exit_after_messages, fun() -> S = self(), {P, M} = spawn_monitor(fun() -> [S ! {m, N} || N <- lists:seq(1, 1000)], exit(done) end),
          receive {'DOWN', M, process, P, R} -> {R, length(all())} end end},
     {link_exit_after_messages, fun() -> process_flag(trap_exit, true), S = self(), P = spawn_link(fun() -> [S ! {m, N} || N <- lists:seq(1, 1000)], exit(done) end),
          receive {'EXIT', P, R} -> {R, length(all())} end end},
     {kill_after_message, fun() -> [kill_after() || _ <- lists:seq(1, 100)] =:= lists:duplicate(100, {got, killed}) end},
     {monitor_after_exit, fun() -> P = spawn(fun wait_forever/0), exit(P, x), M = monitor(process, P), receive {'DOWN', M, _, _, R} -> lists:member(R, [x, noproc]) end end},
     {unlink_order, fun() -> process_flag(trap_exit, true), P = spawn_link(fun() -> receive go -> exit(late) end end), unlink(P), P ! go, M = monitor(process, P),
          receive {'DOWN', M, _, _, R} -> {R =:= late orelse R =:= noproc, all()} end end},
     {info_after_messages, fun() -> P = spawn(fun wait_forever/0), [P ! N || N <- lists:seq(1, 100)], process_info(P, message_queue_len) end},
     {link_then_exit, fun() -> process_flag(trap_exit, true), [begin P = spawn(fun wait_forever/0), link(P), exit(P, N), receive {'EXIT', P, R} -> R end end || N <- lists:seq(1, 100)] =:= lists:seq(1, 100) end},
     {alias_and_plain, fun() -> S = self(), A = alias(), spawn(fun() -> [begin S ! {n, 2 * N}, A ! {n, 2 * N + 1} end || N <- lists:seq(0, 2000)] end), in_order(0, 4001) end},
     {name_and_pid, fun() -> register(rt_name, self()), S = self(), spawn(fun() -> [begin S ! {n, 2 * N}, rt_name ! {n, 2 * N + 1} end || N <- lists:seq(0, 2000)] end), in_order(0, 4001) end},
     {self_interleaved, fun() -> self() ! 1, self() ! 2, X = receive 1 -> a end, self() ! 3, {X, all()} end}].

any() -> receive _ -> x end.
in_order(N, Last) when N > Last -> ok;
in_order(N, Last) -> receive {n, N} -> in_order(N + 1, Last); {n, Other} -> {wrong, N, Other} after 5000 -> {missing, N} end.
per_sender(0, M) -> lists:usort(maps:values(M));
per_sender(Left, M) ->
    receive {P, N} -> case M of #{P := N} -> per_sender(Left - 1, M#{P := N + 1}); _ -> {wrong, N} end
    after 5000 -> {missing, Left} end.
relay(S) -> receive X -> S ! X, relay(S) end.
kill_after() ->
    S = self(),
    {P, M} = spawn_monitor(fun() -> receive X -> S ! {got, X} end, wait_forever() end),
    P ! x,
    receive {got, x} -> ok end,
    exit(P, kill),
    receive {'DOWN', M, process, P, R} -> {got, R} end.

large() ->
    [{list, fun() -> L = lists:seq(1, 200000), S = self(), spawn(fun() -> S ! L end), receive X -> X =:= L end end},
     {binary, fun() -> B = binary:copy(<<"abc">>, 100000), S = self(), spawn(fun() -> S ! {B, binary:part(B, 5, 1000)} end), receive {X, Y} -> {X =:= B, byte_size(Y)} end end},
     {map, fun() -> M = maps:from_list([{N, {N, [N]}} || N <- lists:seq(1, 5000)]), S = self(), spawn(fun() -> S ! M end), receive X -> X =:= M end end},
     {deep, fun() -> T = lists:foldl(fun(N, A) -> {N, A} end, end_of_it, lists:seq(1, 100000)), S = self(), spawn(fun() -> S ! T end), receive X -> X =:= T end end},
     {shared, fun() -> A = lists:seq(1, 1000), T = {A, A, {A}}, self() ! T, receive X -> {X =:= T, erts_debug:flat_size(X) =:= erts_debug:flat_size(T)} end end},
     {funs, fun() -> N = 7, F = fun(X) -> X + N end, S = self(), P = spawn(fun() -> receive G -> S ! G(3) end end), P ! F, receive R -> R end end},
     {bignum, fun() -> self() ! (1 bsl 5000), receive X -> X =:= 1 bsl 5000 end end},
     {while_collecting, fun() -> S = self(), spawn(fun() -> [S ! lists:seq(1, N rem 100) || N <- lists:seq(1, 3000)] end),
          lists:sum([begin _ = lists:seq(1, 500), receive L -> length(L) end end || _ <- lists:seq(1, 3000)]) end},
     {kept_in_queue, fun() -> [self() ! {N, lists:seq(1, 50)} || N <- lists:seq(1, 500)], erlang:garbage_collect(), _ = lists:seq(1, 50000), erlang:garbage_collect(),
          lists:sum([receive {N, L} -> length(L) end || N <- lists:seq(1, 500)]) end}].

queue_data() ->
    [{{Mode, Name}, fun() -> in_mode(Mode, F) end} || Mode <- [on_heap, off_heap],
        {Name, F} <- [{selective, fun() -> [self() ! N || N <- lists:seq(1, 200)], [receive N -> N end || N <- lists:seq(200, 1, -1)] =:= lists:seq(200, 1, -1) end},
                      {large, fun() -> self() ! lists:seq(1, 10000), erlang:garbage_collect(), receive L -> length(L) end end},
                      {info, fun() -> self() ! a, [process_info(self(), message_queue_data), process_info(self(), messages)] end},
                      {switch, fun() -> self() ! {a, "b"}, process_flag(message_queue_data, on_heap), self() ! c, process_flag(message_queue_data, off_heap), all() end}]].

in_mode(Mode, F) ->
    S = self(),
    {P, M} = spawn_opt(fun() -> S ! {self(), F()} end, [monitor, {message_queue_data, Mode}]),
    receive {P, X} -> demonitor(M, [flush]), X; {'DOWN', M, process, P, R} -> {down, R} end.

counts() ->
    [{queue_len, fun() -> [self() ! N || N <- lists:seq(1, 50)], A = process_info(self(), message_queue_len), receive 25 -> ok end, [A, process_info(self(), message_queue_len)] end},
     {messages_order, fun() -> [self() ! N || N <- lists:seq(1, 5)], receive 3 -> ok end, process_info(self(), messages) end},
     {flush, fun() -> [self() ! N || N <- lists:seq(1, 1000)], {length(all()), process_info(self(), message_queue_len)} end}].
