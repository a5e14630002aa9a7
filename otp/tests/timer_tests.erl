%% timer_tests.erl: timers of processes, the timer module, and the clocks. Times are compared coarsely: that nothing is
%% early, and that everything comes.
-module(timer_tests).
-export([tests/0, send_it/2]).

tests() ->
    lists:append([sends(), starts(), cancels(), reads(), absolute(), targets(), many(), bad(), clocks(), units(), unique(),
                  calendar_times(), module_timer()]).

result(F) ->
    try {ok, F()}
    catch C:R:S -> {C, R, cause(S)}
    end.
cause([{M, Name, Args, Info} | _]) ->
    Arity = if is_list(Args) -> length(Args); true -> Args end,
    case lists:keyfind(error_info, 1, Info) of
        {error_info, Map} -> {M, Name, Arity, maps:get(cause, Map, none)};
        false -> {M, Name, Arity, no_info}
    end.
each(Name, F, Arguments) ->
    [{{Name, N}, fun() -> {A, result(fun() -> F(A) end)} end} || {N, A} <- lists:enumerate(Arguments)].
all() -> receive M -> [M | all()] after 0 -> [] end.
now_ms() -> erlang:monotonic_time(millisecond).
%% Waits for a message; how long it took must be at least Least.
within(Least, F) ->
    A = now_ms(),
    X = F(),
    B = now_ms(),
    {X, B - A >= Least, B - A < Least + 3000}.
got() -> receive M -> M after 5000 -> nothing end.
send_it(P, X) -> P ! X.
dead() -> {P, M} = spawn_monitor(fun() -> ok end), receive {'DOWN', M, _, _, _} -> P end.

sends() ->
    [{{send_after, T}, fun() -> within(T, fun() -> R = erlang:send_after(T, self(), {hi, T}), {is_reference(R), got()} end) end} || T <- [0, 1, 2, 10, 30]] ++
    [{order, fun() -> [erlang:send_after(T, self(), T) || T <- [60, 20, 40, 0]], [got() || _ <- [1, 2, 3, 4]] end},
     {same_time, fun() -> [erlang:send_after(10, self(), N) || N <- lists:seq(1, 20)], lists:sort([got() || _ <- lists:seq(1, 20)]) end},
     {large_message, fun() -> erlang:send_after(1, self(), lists:seq(1, 10000)), length(got()) end},
     {options, fun() -> R = erlang:send_after(1, self(), x, []), {is_reference(R), got()} end}].

starts() ->
    [{{start_timer, T}, fun() -> R = erlang:start_timer(T, self(), msg), {timeout, R2, M} = got(), {R =:= R2, M} end} || T <- [0, 1, 5]] ++
    [{start_options, fun() -> R = erlang:start_timer(1, self(), m, []), {timeout, R, X} = got(), X end},
     {start_name, fun() -> register(tt_name, self()), R = erlang:start_timer(1, tt_name, m), {timeout, R, X} = got(), X end},
     {start_large, fun() -> R = erlang:start_timer(100000000, self(), x), Left = erlang:read_timer(R), erlang:cancel_timer(R), Left > 99990000 end}].

cancels() ->
    [{cancel, fun() -> R = erlang:send_after(100000, self(), x), Left = erlang:cancel_timer(R), {is_integer(Left), Left > 90000, Left =< 100000, erlang:cancel_timer(R), all()} end},
     {cancel_fired, fun() -> R = erlang:send_after(0, self(), x), got(), erlang:cancel_timer(R) end},
     {cancel_unknown, fun() -> erlang:cancel_timer(make_ref()) end},
     {async, fun() -> R = erlang:send_after(100000, self(), x), A = erlang:cancel_timer(R, [{async, true}]), {cancel_timer, R2, Left} = got(), {A, R =:= R2, Left > 90000} end},
     {async_no_info, fun() -> R = erlang:send_after(100000, self(), x), A = erlang:cancel_timer(R, [{async, true}, {info, false}]), receive M -> {A, M} after 30 -> {A, none} end end},
     {async_unknown, fun() -> R = make_ref(), A = erlang:cancel_timer(R, [{async, true}]), {cancel_timer, R2, X} = got(), {A, R =:= R2, X} end},
     {no_info, fun() -> R = erlang:send_after(100000, self(), x), erlang:cancel_timer(R, [{info, false}]) end},
     {sync_options, fun() -> R = erlang:send_after(100000, self(), x), is_integer(erlang:cancel_timer(R, [{async, false}, {info, true}])) end},
     {other_process, fun() -> S = self(), R = erlang:send_after(100000, self(), x), spawn(fun() -> S ! {cancelled, erlang:cancel_timer(R)} end), {cancelled, L} = got(), {is_integer(L), erlang:read_timer(R)} end},
     {other_async, fun() -> S = self(), R = erlang:send_after(100000, self(), x), spawn(fun() -> erlang:cancel_timer(R, [{async, true}]), receive {cancel_timer, R, L} -> S ! is_integer(L) end end), got() end},
     {start_cancel, fun() -> [begin R = erlang:start_timer(1000, self(), N), erlang:cancel_timer(R) end || N <- lists:seq(1, 1000)], all() end},
     {many_cancel, fun() -> Rs = [erlang:start_timer(50000 + N * 7, self(), N) || N <- lists:seq(1, 2000)], lists:all(fun is_integer/1, [erlang:cancel_timer(R) || R <- lists:reverse(Rs)]) end}].

reads() ->
    [{read, fun() -> R = erlang:send_after(100000, self(), x), L = erlang:read_timer(R), erlang:cancel_timer(R), {L > 90000, L =< 100000} end},
     {read_fired, fun() -> R = erlang:send_after(0, self(), x), got(), erlang:read_timer(R) end},
     {read_unknown, fun() -> erlang:read_timer(make_ref()) end},
     {read_cancelled, fun() -> R = erlang:send_after(1000, self(), x), erlang:cancel_timer(R), erlang:read_timer(R) end},
     {read_async, fun() -> R = erlang:send_after(100000, self(), x), A = erlang:read_timer(R, [{async, true}]), {read_timer, R2, L} = got(), {A, R =:= R2, L > 90000} end},
     {read_async_unknown, fun() -> R = make_ref(), A = erlang:read_timer(R, [{async, true}]), {read_timer, R2, L} = got(), {A, R =:= R2, L} end},
     {read_other, fun() -> S = self(), R = erlang:send_after(100000, self(), x), spawn(fun() -> S ! erlang:read_timer(R) end), is_integer(got()) end}].

absolute() ->
    [{abs_send, fun() -> T = now_ms() + 15, erlang:send_after(T, self(), x, [{abs, true}]), X = got(), {X, now_ms() >= T} end},
     {abs_start, fun() -> T = now_ms() + 15, R = erlang:start_timer(T, self(), x, [{abs, true}]), {timeout, R, X} = got(), {X, now_ms() >= T} end},
     {abs_past, fun() -> erlang:send_after(now_ms() - 1, self(), x, [{abs, true}]), got() end},
     {abs_false, fun() -> erlang:send_after(1, self(), x, [{abs, false}]), got() end},
     {abs_far, fun() -> R = erlang:send_after(now_ms() + 1000000, self(), x, [{abs, true}]), L = erlang:cancel_timer(R), L > 990000 end}].

targets() ->
    [{name, fun() -> register(tt_target, self()), erlang:send_after(1, tt_target, hello), got() end},
     {name_later, fun() -> erlang:send_after(10, tt_later, hello), register(tt_later, self()), got() end},
     {missing_name, fun() -> R = erlang:send_after(0, tt_nobody, hello), receive after 10 -> ok end, erlang:read_timer(R) end},
     {dead_process, fun() -> P = dead(), R = erlang:send_after(1, P, hello), is_reference(R) end},
     {dies, fun() -> P = spawn(fun() -> receive x -> ok end end), R = erlang:send_after(100000, P, hello), M = monitor(process, P), P ! x,
          receive {'DOWN', M, _, _, _} -> ok end, case erlang:read_timer(R) of false -> gone; N when is_integer(N) -> gone_or_kept end =/= x end},
     {creator_dies, fun() -> S = self(), P = spawn(fun() -> erlang:send_after(20, S, from_the_dead) end), M = monitor(process, P), receive {'DOWN', M, _, _, _} -> got() end end},
     {other, fun() -> S = self(), P = spawn(fun() -> receive X -> S ! {relayed, X} end end), erlang:send_after(1, P, x), got() end}].

many() ->
    [{spread, fun() -> [erlang:send_after(N rem 37, self(), N) || N <- lists:seq(1, 2000)], lists:sum([got() || _ <- lists:seq(1, 2000)]) end},
     {processes, fun() -> S = self(), [spawn(fun() -> erlang:send_after(N rem 11, self(), x), receive x -> S ! N end end) || N <- lists:seq(1, 200)], lists:sum([got() || _ <- lists:seq(1, 200)]) end},
     {far_apart, fun() -> Rs = [erlang:start_timer(1 bsl B, self(), B) || B <- lists:seq(8, 31)], Ls = [erlang:read_timer(R) || R <- Rs], [erlang:cancel_timer(R) || R <- Rs],
          [B || {B, L} <- lists:zip(lists:seq(8, 31), Ls), L > (1 bsl B) orelse L < (1 bsl B) - 3000 andalso B > 12] end},
     {not_early, fun() -> [T || T <- [1, 3, 7, 13, 19], begin A = now_ms(), erlang:send_after(T, self(), x), got(), now_ms() - A < T end] end}].

bad() ->
    each(send_after_bad, fun(A) -> apply(erlang, send_after, A) end,
         [[-1, self(), x], [x, self(), x], [1.0, self(), x], [1, 1, x], [1, "a", x], [1, {a, node()}, x], [1 bsl 70, self(), x], [1 bsl 62, self(), x],
          [1, self(), x, y], [1, self(), x, [y]], [1, self(), x, [{abs, y}]], [1, self(), x, [{async, true}]], [-1, self(), x, [{abs, x}]], [1, make_ref(), x]]) ++
    each(start_timer_bad, fun(A) -> apply(erlang, start_timer, A) end, [[-1, self(), x], [x, self(), x], [1, 1, x], [1, self(), x, y], [1 bsl 70, self(), x]]) ++
    each(cancel_bad, fun(A) -> apply(erlang, cancel_timer, A) end, [[x], [1], [make_ref(), x], [make_ref(), [x]], [make_ref(), [{async, x}]], [make_ref(), [{info, x}]], [x, []], [make_ref(), [{async, true} | x]]]) ++
    each(read_bad, fun(A) -> apply(erlang, read_timer, A) end, [[x], [1], [make_ref(), x], [make_ref(), [x]], [make_ref(), [{async, x}]], [make_ref(), [{info, true}]], [x, []]]).

clocks() ->
    [{monotonic, fun() -> A = erlang:monotonic_time(), B = erlang:monotonic_time(), {is_integer(A), B >= A} end},
     {system, fun() -> A = erlang:system_time(second), A > 1600000000 end},
     {offset, fun() -> abs(erlang:system_time() - (erlang:monotonic_time() + erlang:time_offset())) < erlang:convert_time_unit(5, second, native) end},
     {offset_units, fun() -> {is_integer(erlang:time_offset(second)), erlang:time_offset(second) > 1600000000} end},
     {timestamp, fun() -> {A, B, C} = erlang:timestamp(), {A > 1000, B < 1000000, C < 1000000} end},
     {now, fun() -> A = erlang:now(), B = erlang:now(), {A < B, tuple_size(A)} end},
     {now_many, fun() -> L = [erlang:now() || _ <- lists:seq(1, 1000)], {length(lists:usort(L)), L =:= lists:sort(L)} end},
     {os_time, fun() -> {is_integer(os:system_time()), os:system_time(second) > 1600000000, tuple_size(os:timestamp())} end},
     {os_agrees, fun() -> abs(os:system_time(second) - erlang:system_time(second)) < 100 end},
     {perf, fun() -> A = os:perf_counter(), B = os:perf_counter(), {is_integer(A), B >= A, is_integer(os:perf_counter(millisecond))} end},
     {native, fun() -> erlang:convert_time_unit(1, second, native) end}] ++
    each(monotonic_units, fun(U) -> is_integer(erlang:monotonic_time(U)) end, [second, millisecond, microsecond, nanosecond, native, perf_counter, seconds, milli_seconds, micro_seconds, nano_seconds, 1, 1000, 7, 0, -1, x, 1.0, "s"]) ++
    each(system_units, fun(U) -> is_integer(erlang:system_time(U)) end, [second, native, 1, 0, x]) ++
    each(offset_units, fun(U) -> is_integer(erlang:time_offset(U)) end, [second, native, 1, 0, x]) ++
    each(os_units, fun(U) -> is_integer(os:system_time(U)) end, [second, native, 1, 0, x]).

units() ->
    each(convert, fun([N, A, B]) -> erlang:convert_time_unit(N, A, B) end,
         [[1, second, millisecond], [1, second, nanosecond], [1999, millisecond, second], [-1, millisecond, second], [-1999, millisecond, second], [-1000, millisecond, second],
          [1, 3, 7], [10, 3, 7], [-10, 3, 7], [1 bsl 80, nanosecond, second], [1, native, nanosecond], [5, nanosecond, native], [1.0, second, second], [x, second, second], [1, x, second],
          [1, second, x], [1, 0, second], [1, second, 0], [0, second, 1000], [1, perf_counter, second], [1, seconds, milli_seconds]]).

unique() ->
    [{plain, fun() -> L = [erlang:unique_integer() || _ <- lists:seq(1, 1000)], length(lists:usort(L)) end},
     {positive, fun() -> lists:all(fun(X) -> X > 0 end, [erlang:unique_integer([positive]) || _ <- lists:seq(1, 100)]) end},
     {monotonic, fun() -> L = [erlang:unique_integer([monotonic]) || _ <- lists:seq(1, 1000)], {L =:= lists:sort(L), length(lists:usort(L))} end},
     {both, fun() -> L = [erlang:unique_integer([monotonic, positive]) || _ <- lists:seq(1, 100)], {L =:= lists:sort(L), hd(L) > 0} end},
     {across_processes, fun() -> S = self(), [spawn(fun() -> S ! [erlang:unique_integer() || _ <- lists:seq(1, 500)] end) || _ <- lists:seq(1, 10)],
          length(lists:usort(lists:append([got() || _ <- lists:seq(1, 10)]))) end},
     {refs, fun() -> S = self(), [spawn(fun() -> S ! [make_ref() || _ <- lists:seq(1, 500)] end) || _ <- lists:seq(1, 10)],
          length(lists:usort(lists:append([got() || _ <- lists:seq(1, 10)]))) end}] ++
    each(unique_bad, fun(A) -> is_integer(erlang:unique_integer(A)) end, [[], [monotonic, monotonic], [x], x, [positive | x], 1]).

calendar_times() ->
    [{localtime, fun() -> {{Y, M, D}, {H, Mi, S}} = erlang:localtime(), {Y > 2020, M >= 1, D >= 1, H >= 0, Mi >= 0, S >= 0} end},
     {universaltime, fun() -> {{Y, _, _}, {_, _, _}} = erlang:universaltime(), Y > 2020 end},
     {date, fun() -> {tuple_size(date()), tuple_size(time())} end},
     {round_trip, fun() -> L = {{2023, 6, 15}, {12, 30, 45}}, erlang:universaltime_to_localtime(erlang:localtime_to_universaltime(L)) =:= L end},
     {posix, fun() -> [erlang:universaltime_to_posixtime({{1970, 1, 1}, {0, 0, 0}}), erlang:posixtime_to_universaltime(0), erlang:posixtime_to_universaltime(-1),
          erlang:posixtime_to_universaltime(1 bsl 33), erlang:universaltime_to_posixtime({{2024, 2, 29}, {23, 59, 59}})] end}] ++
    each(to_local, fun(T) -> erlang:universaltime_to_localtime(T) end, [{{2000, 1, 1}, {0, 0, 0}}, {{2024, 2, 30}, {0, 0, 0}}, {{2023, 13, 1}, {0, 0, 0}}, {{1960, 1, 1}, {0, 0, 0}}, x, {{2000, 1, 1}, {24, 0, 0}}, {{2000, 1, 1}, {0, 60, 0}}, {{2000.0, 1, 1}, {0, 0, 0}}]) ++
    each(to_universal, fun(A) -> apply(erlang, localtime_to_universaltime, A) end, [[{{2000, 1, 1}, {0, 0, 0}}], [{{2000, 1, 1}, {0, 0, 0}}, true], [{{2000, 1, 1}, {0, 0, 0}}, undefined], [{{2000, 1, 1}, {0, 0, 0}}, x], [x], [{{2000, 2, 30}, {0, 0, 0}}]]) ++
    each(posix_bad, fun(F) -> erlang:F(x) end, [universaltime_to_posixtime, posixtime_to_universaltime]).

module_timer() ->
    [{module_send_after, fun() -> {ok, R} = timer:send_after(5, hello), {element(1, R), got()} end},
     {module_send_after_pid, fun() -> {ok, _} = timer:send_after(5, self(), hello), got() end},
     {module_apply_after, fun() -> {ok, _} = timer:apply_after(5, ?MODULE, send_it, [self(), applied]), got() end},
     {module_interval, fun() -> {ok, R} = timer:send_interval(5, tick), L = [got() || _ <- [1, 2, 3]], X = timer:cancel(R), {L, X} end},
     {module_apply_interval, fun() -> {ok, R} = timer:apply_interval(5, ?MODULE, send_it, [self(), tick]), L = [got() || _ <- [1, 2, 3]], {L, timer:cancel(R)} end},
     {module_cancel, fun() -> {ok, R} = timer:send_after(100000, x), {timer:cancel(R), timer:cancel(R), all()} end},
     {module_cancel_bad, fun() -> result(fun() -> timer:cancel(x) end) end},
     {module_exit_after, fun() -> {P, M} = spawn_monitor(fun() -> receive x -> x end end), timer:exit_after(5, P, because), receive {'DOWN', M, _, _, R} -> R end end},
     {module_kill_after, fun() -> {P, M} = spawn_monitor(fun() -> receive x -> x end end), timer:kill_after(5, P), receive {'DOWN', M, _, _, R} -> R end end},
     {module_sleep, fun() -> within(10, fun() -> timer:sleep(10) end) end},
     {module_tc, fun() -> {T, V} = timer:tc(lists, seq, [1, 3]), {is_integer(T), V} end},
     {module_tc_fun, fun() -> {T, V} = timer:tc(fun(X) -> X * 2 end, [4]), {is_integer(T), V} end},
     {module_now_diff, fun() -> timer:now_diff({1, 2, 3}, {1, 1, 1}) end},
     {module_units, fun() -> [timer:seconds(2), timer:minutes(2), timer:hours(2), timer:hms(1, 2, 3)] end},
     {module_bad, fun() -> [result(fun() -> timer:send_after(-1, x) end), result(fun() -> timer:send_after(x, x) end), result(fun() -> timer:apply_after(1, 1, f, []) end)] end}].
