%% trace_tests.erl: erlang:trace and its kin: calls with match specifications, returns, process events, messages,
%% counting, and what trace_info tells. Each test traces a process of its own and collects in order.
-module(trace_tests).
-export([tests/0, f/1, g/1, h/2, fails/1, tail/1, loop/0, counted/1, caller/1, spawner/1]).

tests() ->
    _ = logger:remove_handler(default),
    lists:append([calls(), specs(), returns(), natives(), metas(), procs(), messages(), counts(), infos(), flags(), stamps(), bad(), loading(), tracers(), sequential()]).

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

%% Functions to trace.
f(X) -> Y = g(X), Y + 1.
g(X) -> h(X, 1) * 2.
h(X, Y) -> X + Y.
fails(R) -> X = case R of error -> error(oops); exit -> exit(out); throw -> throw(ball); none -> 1 end, {X}.
tail(0) -> done;
tail(N) -> ?MODULE:tail(N - 1).
counted(0) -> ok;
counted(N) -> h(N, N), counted(N - 1).
caller(X) -> Y = h(X, X), {Y}.
spawner(F) -> P = spawn(F), {P}.

loop() -> receive {From, F} -> From ! {self(), catch F()}, loop(); stop -> ok end.
worker() -> spawn(fun ?MODULE:loop/0).
ask(P, F) -> P ! {self(), F}, receive {P, X} -> X after 5000 -> no_answer end.

%% Everything the tracer got about P, with P as `p` and pids of others by their kind.
collect(P) ->
    R = erlang:trace_delivered(P),
    receive {trace_delivered, P, R} -> ok end,
    [tidy(P, M) || M <- all()].
all() -> receive M -> [M | all()] after 0 -> [] end.
tidy(P, M) when is_tuple(M) -> list_to_tuple([tidy(P, X) || X <- tuple_to_list(M)]);
tidy(P, [H | T]) -> [tidy(P, H) | tidy(P, T)];
tidy(P, P) -> p;
tidy(_, X) when is_pid(X), X =:= self() -> tester;
tidy(_, X) when is_function(X) -> a_fun;
tidy(_, X) -> X.

%% Traces P with Flags while Pattern is set, and runs F in it.
traced(Flags, MFA, Spec, PatternFlags, F) ->
    P = worker(),
    try
        N = erlang:trace_pattern(MFA, Spec, PatternFlags),
        1 = erlang:trace(P, true, Flags),
        X = ask(P, F),
        L = collect(P),
        {N, tidy(P, X), L}
    after
        erlang:trace_pattern({'_', '_', '_'}, false, [local, meta, call_count, call_time]),
        erlang:trace_pattern({'_', '_', '_'}, false, []),
        exit(P, kill)
    end.

calls() ->
    M = {?MODULE, '_', '_'},
    [{global, fun() -> traced([call], {?MODULE, tail, 1}, true, [], fun() -> ?MODULE:tail(2) end) end},
     {global_local_call, fun() -> traced([call], {?MODULE, g, 1}, true, [global], fun() -> ?MODULE:f(1) end) end},
     {local, fun() -> traced([call], {?MODULE, g, 1}, true, [local], fun() -> f(1) end) end},
     {local_all, fun() -> {_, X, L} = traced([call], M, true, [local], fun() -> f(1) end), {X, [E || {trace, p, call, {_, N, _}} = E <- L, lists:member(N, [f, g, h])]} end},
     {two_functions, fun() -> traced([call], {?MODULE, h, '_'}, true, [local], fun() -> {f(1), caller(2)} end) end},
     {arity, fun() -> traced([call, arity], {?MODULE, h, 2}, true, [local], fun() -> f(1) end) end},
     {not_traced_process, fun() -> P = worker(), erlang:trace_pattern({?MODULE, h, 2}, true, [local]), X = ask(P, fun() -> f(1) end), erlang:trace_pattern({?MODULE, h, 2}, false, [local]), {X, all()} end},
     {no_call_flag, fun() -> traced([send], {?MODULE, h, 2}, true, [local], fun() -> f(1) end) end},
     {apply, fun() -> traced([call], {?MODULE, h, 2}, true, [local], fun() -> apply(?MODULE, h, [1, 2]) end) end},
     {fun_external, fun() -> traced([call], {?MODULE, h, 2}, true, [local], fun() -> F = fun ?MODULE:h/2, F(1, 2) end) end},
     {other_module, fun() -> traced([call], {lists, seq, 2}, true, [], fun() -> lists:seq(1, 3) end) end},
     {large_arguments, fun() -> {1, X, L} = traced([call], {?MODULE, h, 2}, true, [local], fun() -> length([h(N, N) || N <- lists:seq(1, 300)]) end), {X, length(L), lists:last(L)} end},
     {silent, fun() -> traced([call, silent], {?MODULE, h, 2}, true, [local], fun() -> f(1) end) end},
     {off_again, fun() -> P = worker(), erlang:trace(P, true, [call]), erlang:trace_pattern({?MODULE, h, 2}, true, [local]), A = ask(P, fun() -> f(1) end), erlang:trace_pattern({?MODULE, h, 2}, false, [local]),
          B = ask(P, fun() -> f(2) end), {A, B, collect(P)} end},
     {flag_off, fun() -> P = worker(), erlang:trace(P, true, [call]), erlang:trace_pattern({?MODULE, h, 2}, true, [local]), A = ask(P, fun() -> f(1) end), erlang:trace(P, false, [call]),
          B = ask(P, fun() -> f(2) end), L = collect(P), erlang:trace_pattern({?MODULE, h, 2}, false, [local]), {A, B, L} end}].

specs() ->
    H = {?MODULE, h, 2},
    Run = fun() -> [h(1, 2), h(3, 4)] end,
    Specs = [[{[1, '_'], [], []}], [{['$1', '$2'], [{'>', '$1', 2}], []}], [{'_', [], [{message, false}]}], [{'_', [], [{message, true}]}],
             [{['$1', '$2'], [], [{message, {{'$2', '$1'}}}]}], [{'_', [], [{message, '$_'}]}], [{'_', [], [{message, '$$'}]}], [{['$1', '_'], [], [{message, {self}}]}],
             [{'_', [], [{return_trace}]}], [{[1, '_'], [], [{return_trace}]}, {'_', [], [{message, other}]}], [{['_'], [], []}], [{'_', [], [{message, {caller}}]}],
             [{'_', [], [{silent, true}]}], [{[1, '_'], [], [{disable_trace, call}]}], [{[1, '_'], [], [{trace, [call], []}]}], [{'_', [], [{message, {const, {a, b}}}]}],
             [{'_', [], [{message, false}, {return_trace}]}], [{['$1', '$1'], [], []}], [{'_', [false], []}], [{'_', [], [{enable_trace, arity}]}], [{'_', [], [{exception_trace}]}],
             [{'_', [], [true, {message, [a, '$_']}]}]],
    [{{spec, S}, fun() -> traced([call], H, S, [local], Run) end} || S <- Specs] ++
    [{{spec_caller}, fun() -> traced([call], H, [{'_', [], [{message, {caller}}]}], [local], fun() -> caller(1) end) end}].

returns() ->
    Spec = [{'_', [], [{return_trace}]}],
    Exc = [{'_', [], [{exception_trace}]}],
    [{return, fun() -> traced([call], {?MODULE, f, 1}, Spec, [local], fun() -> f(1) end) end},
     {return_nested, fun() -> {_, X, L} = traced([call], {?MODULE, '_', '_'}, Spec, [local], fun() -> f(1) end), {X, [E || E <- L, lists:member(element(2, element(4, E)), [f, g, h])]} end},
     {return_tail, fun() -> traced([call], {?MODULE, tail, 1}, Spec, [local], fun() -> tail(3) end) end},
     {return_global, fun() -> traced([call], {?MODULE, tail, 1}, Spec, [], fun() -> ?MODULE:tail(2) end) end},
     {return_to, fun() -> traced([call, return_to], {?MODULE, h, 2}, true, [local], fun() -> f(1) end) end},
     {return_to_tail, fun() -> traced([call, return_to], {?MODULE, tail, 1}, true, [local], fun() -> {tail(2)} end) end},
     {return_to_and_from, fun() -> traced([call, return_to], {?MODULE, h, 2}, Spec, [local], fun() -> f(1) end) end},
     {return_to_global, fun() -> traced([call, return_to], {?MODULE, tail, 1}, true, [global], fun() -> {?MODULE:tail(1)} end) end},
     {return_large, fun() -> {_, X, L} = traced([call], {lists, seq, 2}, Spec, [], fun() -> length(lists:seq(1, 1000)) end), {X, [element(3, E) || E <- L]} end},
     {return_deep, fun() -> {_, _, L} = traced([call], {?MODULE, counted, 1}, Spec, [local], fun() -> counted(200) end), length(L) end}] ++
    [{{exception, R}, fun() -> traced([call], {?MODULE, fails, 1}, Exc, [local], fun() -> fails(R) end) end} || R <- [error, exit, throw, none]] ++
    [{{exception_return_trace, R}, fun() -> traced([call], {?MODULE, fails, 1}, Spec, [local], fun() -> fails(R) end) end} || R <- [error, none]].

natives() ->
    Spec = [{'_', [], [{return_trace}]}],
    [{bif, fun() -> traced([call], {erlang, atom_to_list, 1}, true, [], fun() -> atom_to_list(ab) end) end},
     {bif_local, fun() -> traced([call], {erlang, atom_to_list, 1}, true, [local], fun() -> atom_to_list(ab) end) end},
     {bif_return, fun() -> traced([call], {erlang, atom_to_list, 1}, Spec, [], fun() -> atom_to_list(ab) end) end},
     {bif_exception, fun() -> {N, {'EXIT', {badarg, _}}, L} = traced([call], {erlang, binary_to_integer, 1}, [{'_', [], [{exception_trace}]}], [], fun() -> binary_to_integer(<<"x">>) end), {N, L} end},
     {bif_apply, fun() -> traced([call], {erlang, atom_to_list, 1}, true, [], fun() -> apply(erlang, atom_to_list, [b]) end) end},
     {bif_lists, fun() -> traced([call], {lists, reverse, 2}, Spec, [], fun() -> lists:reverse([1, 2], []) end) end},
     {bif_count, fun() -> erlang:trace_pattern({erlang, phash2, 1}, true, [call_count]), [erlang:phash2(N) || N <- [1, 2, 3]], R = erlang:trace_info({erlang, phash2, 1}, call_count), erlang:trace_pattern({erlang, phash2, 1}, false, [call_count]), R end},
     {bif_after, fun() -> erlang:trace_pattern({erlang, atom_to_list, 1}, true, []), erlang:trace_pattern({erlang, atom_to_list, 1}, false, []), atom_to_list(still_there) end}].

metas() ->
    [{meta, fun() -> erlang:trace_pattern({?MODULE, h, 2}, true, [meta]), X = h(1, 2), erlang:trace_pattern({?MODULE, h, 2}, false, [meta]), L = all(), {X, [{element(1, M), element(2, M) =:= self(), element(3, M), element(4, M), size(element(5, M))} || M <- L]} end},
     {meta_other, fun() -> S = self(), T = spawn(fun() -> receive M -> S ! {got, element(1, M), element(4, M)} end end), erlang:trace_pattern({?MODULE, h, 2}, true, [{meta, T}]), h(1, 2), erlang:trace_pattern({?MODULE, h, 2}, false, [meta]), receive {got, A, B} -> {A, B} after 2000 -> none end end},
     {meta_spec, fun() -> erlang:trace_pattern({?MODULE, h, 2}, [{[1, '$1'], [], [{message, '$1'}]}], [meta]), h(1, 5), h(2, 5), erlang:trace_pattern({?MODULE, h, 2}, false, [meta]), [{element(4, M), element(5, M)} || M <- all()] end},
     {meta_return, fun() -> erlang:trace_pattern({?MODULE, h, 2}, [{'_', [], [{return_trace}]}], [meta]), caller(1), erlang:trace_pattern({?MODULE, h, 2}, false, [meta]), [{element(3, M), element(4, M)} || M <- all()] end},
     {meta_dead, fun() -> T = spawn(fun() -> ok end), monitor(process, T), receive {'DOWN', _, _, T, _} -> ok end, result(fun() -> erlang:trace_pattern({?MODULE, h, 2}, true, [{meta, T}]) end), h(1, 2) end}].

procs() ->
    [{spawn, fun() -> {_, L} = events([procs], fun() -> P = spawn(fun() -> receive x -> ok end end), P ! x, ok end), L end},
     {spawn_link, fun() -> {_, L} = events([procs], fun() -> P = spawn_link(fun() -> receive x -> ok end end), unlink(P), ok end), L end},
     {exit, fun() -> P = worker(), erlang:trace(P, true, [procs]), P ! stop, M = monitor(process, P), receive {'DOWN', M, _, _, _} -> ok end, collect_dead(P) end},
     {exit_reason, fun() -> P = worker(), erlang:trace(P, true, [procs]), exit(P, {some, reason}), M = monitor(process, P), receive {'DOWN', M, _, _, _} -> ok end, collect_dead(P) end},
     {register, fun() -> {_, L} = events([procs], fun() -> register(trace_tests_name, self()), unregister(trace_tests_name) end), L end},
     {link, fun() -> Q = worker(), {_, L} = events([procs], fun() -> link(Q), unlink(Q) end), L end},
     {getting_linked, fun() -> P = worker(), erlang:trace(P, true, [procs]), link(P), ask(P, fun() -> ok end), unlink(P), ask(P, fun() -> ok end), [E || E <- collect(P)] end},
     {set_on_spawn, fun() -> P = worker(), erlang:trace(P, true, [procs, set_on_spawn]), {Q} = ask(P, fun() -> spawner(fun() -> receive x -> ok end end) end), R = erlang:trace_info(Q, flags), L = [tidy(Q, E) || E <- collect(P)], {sorted(R), L} end},
     {set_on_first_spawn, fun() -> P = worker(), erlang:trace(P, true, [send, set_on_first_spawn]), {Q} = ask(P, fun() -> spawner(fun() -> receive x -> ok end end) end), {R} = ask(P, fun() -> spawner(fun() -> receive x -> ok end end) end), F = [sorted(erlang:trace_info(X, flags)) || X <- [P, Q, R]], collect(P), F end},
     {set_on_link, fun() -> P = worker(), Q = worker(), erlang:trace(P, true, [send, set_on_link]), ask(P, fun() -> link(Q) end), F = [sorted(erlang:trace_info(X, flags)) || X <- [P, Q]], collect(P), F end},
     {running, fun() -> P = worker(), erlang:trace(P, true, [running]), ask(P, fun() -> ok end), L = collect(P), lists:usort([element(3, E) || E <- L]) end},
     {garbage_collection, fun() -> P = worker(), erlang:trace(P, true, [garbage_collection]), ask(P, fun() -> erlang:garbage_collect() end), L = collect(P), [{element(3, E), is_list(element(4, E))} || E <- L] end},
     %% A minor collection that turns out to be none.
     {minor_collection, fun() -> P = worker(), erlang:trace(P, true, [garbage_collection]), ask(P, fun() -> erlang:garbage_collect(self(), [{type, minor}]) end), L = collect(P), [element(3, E) || E <- lists:sublist(L, 4)] end}].

sorted({K, L}) when is_list(L) -> {K, lists:sort(L)};
sorted(X) -> X.
events(Flags, F) -> P = worker(), erlang:trace(P, true, Flags), X = ask(P, F), L = collect(P), exit(P, kill), {X, [clean(E) || E <- L]}.
clean(E) -> list_to_tuple([if is_pid(X) -> other; true -> X end || X <- tuple_to_list(E)]).
collect_dead(P) -> receive after 10 -> ok end, [tidy(P, M) || M <- all()].

messages() ->
    [{send, fun() -> {_, L} = events([send], fun() -> self() ! hello end), L end},
     {send_name, fun() -> register(trace_tests_target, self()), {_, L} = events([send], fun() -> trace_tests_target ! hello end), receive hello -> ok after 0 -> ok end, unregister(trace_tests_target), L end},
     {send_dead, fun() -> P = spawn(fun() -> ok end), M = monitor(process, P), receive {'DOWN', M, _, _, _} -> ok end, {_, L} = events([send], fun() -> P ! hello end), L end},
     {send_3, fun() -> {_, L} = events([send], fun() -> erlang:send(self(), hello, []) end), L end},
     {'receive', fun() -> {_, L} = events(['receive'], fun() -> ok end), [element(3, E) || E <- L] end},
     {receive_message, fun() -> P = worker(), erlang:trace(P, true, ['receive']), P ! {not_for, "you"}, ask(P, fun() -> ok end), [M || {trace, p, 'receive', {not_for, _}} = M <- collect(P)] end},
     {send_pattern, fun() -> erlang:trace_pattern(send, [{['_', hello], [], []}], []), {_, L} = events([send], fun() -> self() ! hello, self() ! bye end), erlang:trace_pattern(send, true, []), L end},
     {receive_pattern, fun() -> erlang:trace_pattern('receive', [{['_', '_', hello], [], []}], []), P = worker(), erlang:trace(P, true, ['receive']), P ! hello, P ! bye, ask(P, fun() -> ok end), L = collect(P), erlang:trace_pattern('receive', true, []), L end},
     {send_off, fun() -> A = erlang:trace_pattern(send, false, []), {_, L} = events([send], fun() -> self() ! hello end), B = erlang:trace_info(send, match_spec), erlang:trace_pattern(send, true, []), {A, L, B, erlang:trace_info(send, match_spec)} end}].

counts() ->
    H = {?MODULE, h, 2},
    [{count, fun() -> A = erlang:trace_pattern(H, true, [call_count]), counted(10), B = erlang:trace_info(H, call_count), erlang:trace_pattern(H, false, [call_count]), {A, B, erlang:trace_info(H, call_count)} end},
     {restart, fun() -> erlang:trace_pattern(H, true, [call_count]), counted(5), erlang:trace_pattern(H, restart, [call_count]), counted(3), A = erlang:trace_info(H, call_count), erlang:trace_pattern(H, pause, [call_count]), counted(4), B = erlang:trace_info(H, call_count), erlang:trace_pattern(H, false, [call_count]), {A, B} end},
     {count_processes, fun() -> erlang:trace_pattern(H, true, [call_count]), Ps = [spawn_monitor(fun() -> counted(100) end) || _ <- lists:seq(1, 10)], [receive {'DOWN', M, _, _, _} -> ok end || {_, M} <- Ps], A = erlang:trace_info(H, call_count), erlang:trace_pattern(H, false, [call_count]), A end},
     {time, fun() -> P = worker(), erlang:trace_pattern(H, true, [call_time]), erlang:trace(P, true, [call]), ask(P, fun() -> counted(10) end), {call_time, L} = erlang:trace_info(H, call_time), erlang:trace_pattern(H, false, [call_time]), [{Q =:= P, C, is_integer(S), is_integer(U)} || {Q, C, S, U} <- L] end},
     {time_untraced, fun() -> erlang:trace_pattern(H, true, [call_time]), counted(10), R = erlang:trace_info(H, call_time), erlang:trace_pattern(H, false, [call_time]), R end},
     {cprof, fun() -> cprof:start(?MODULE), counted(7), cprof:pause(), {?MODULE, N, L} = cprof:analyse(?MODULE), cprof:stop(), {N, [E || {{_, F, _}, _} = E <- L, lists:member(F, [h, counted])]} end}].

infos() ->
    H = {?MODULE, h, 2},
    Keys = [traced, match_spec, meta, meta_match_spec, call_count, call_time, all],
    Set = fun(Spec, Flags, Key) -> erlang:trace_pattern(H, Spec, Flags), R = erlang:trace_info(H, Key), erlang:trace_pattern(H, false, Flags), R end,
    [{{info, F, K}, fun() -> Set(true, F, K) end} || F <- [[], [local], [meta], [call_count], [call_time]], K <- Keys] ++
    [{{info_spec, K}, fun() -> Set([{['_', 1], [], [{return_trace}]}], [local], K) end} || K <- Keys] ++
    [{{info_none, K}, fun() -> erlang:trace_info({?MODULE, h, 2}, K) end} || K <- Keys] ++
    [{{info_unknown, K}, fun() -> erlang:trace_info({no_module, h, 2}, K) end} || K <- Keys] ++
    [{{info_process, K}, fun() -> P = worker(), erlang:trace(P, true, [call, send]), tidy(P, sorted(erlang:trace_info(P, K))) end} || K <- [flags, tracer]] ++
    [{info_untraced, fun() -> P = worker(), [erlang:trace_info(P, flags), erlang:trace_info(P, tracer)] end},
     {info_new, fun() -> [erlang:trace_info(new, flags), erlang:trace_info(new_processes, tracer)] end},
     {info_dead, fun() -> P = spawn(fun() -> ok end), M = monitor(process, P), receive {'DOWN', M, _, _, _} -> ok end, erlang:trace_info(P, flags) end},
     {process_info, fun() -> P = worker(), {trace, A} = process_info(P, trace), erlang:trace(P, true, [send]), {trace, B} = process_info(P, trace), {A, B =/= 0} end}] ++
    each(info_bad, fun([A, B]) -> erlang:trace_info(A, B) end, [[x, flags], [self(), x], [{a, b}, traced], [{?MODULE, h, 2}, x], [1, flags], [on_load, x], [send, x], [on_load, traced], [on_load, all], [{a, b, c}, traced]]).

flags() ->
    [{{flag, F}, fun() -> P = worker(), erlang:trace(P, true, [F]), R = sorted(erlang:trace_info(P, flags)), erlang:trace(P, false, [F]), {R, erlang:trace_info(P, flags), erlang:trace_info(P, tracer)} end}
        || F <- [send, 'receive', procs, call, silent, return_to, running, exiting, running_procs, garbage_collection, timestamp, monotonic_timestamp, strict_monotonic_timestamp, arity, set_on_spawn, set_on_first_spawn, set_on_link, set_on_first_link, all, scheduler_id, ports]] ++
    [{new, fun() -> A = erlang:trace(new_processes, true, [send]), P = worker(), R = sorted(erlang:trace_info(P, flags)), B = erlang:trace(new_processes, false, [send]), ask(P, fun() -> x end), {A, R, B, erlang:trace_info(worker(), flags)} end},
     {sensitive, fun() -> P = worker(), ask(P, fun() -> process_flag(sensitive, true) end), erlang:trace_pattern({?MODULE, h, 2}, true, [local]), erlang:trace(P, true, [call]), X = ask(P, fun() -> f(1) end), L = collect(P), erlang:trace_pattern({?MODULE, h, 2}, false, [local]), {X, L} end},
     {all_off, fun() -> P = worker(), erlang:trace(P, true, [all]), erlang:trace(P, false, [all]), collect(P), erlang:trace_info(P, flags) end}].

stamps() ->
    [{{stamp, T}, fun() -> {_, L} = events([send, T], fun() -> self() ! x end), [{element(1, E), element(3, E), kind(element(size(E), E))} || E <- L] end} || T <- [timestamp, monotonic_timestamp, strict_monotonic_timestamp]].
kind(X) when is_integer(X) -> integer;
kind(X) -> {tuple, size(X)}.

bad() ->
    each(trace_bad, fun([A, B, C]) -> erlang:trace(A, B, C) end,
         [[x, true, [call]], [self(), x, [call]], [self(), true, x], [self(), true, [x]], [self(), true, [call | x]], [1, true, []], [self(), true, [{tracer, x}]], [self(), true, [{tracer, 1}]]]) ++
    each(pattern_bad, fun(A) -> apply(erlang, trace_pattern, A) end,
         [[x, true], [{a, b}, true], [{1, '_', '_'}, true], [{'_', x, '_'}, true], [{x, '_', 1}, true], [{?MODULE, h, 2}, x], [{?MODULE, h, 2}, [x]], [{?MODULE, h, 2}, true, [x]], [{?MODULE, h, 2}, true, [global, local]],
          [{?MODULE, h, 2}, true, x], [{?MODULE, h, 2}, [{'_', [], []}], [call_count]], [{?MODULE, h, 2}, true, [{meta, x}]], [send, true, [local]], [{no_module, f, 1}, true, [local]], [{?MODULE, not_there, 1}, true, [local]], [{?MODULE, h, x}, true],
          [{?MODULE, h, 2}, [{[x | y], [], []}]], [{?MODULE, h, 2}, [{'_', [], [{no_such}]}]]]).

loading() ->
    [{replaced_code, fun() -> M = make("1"), P = worker(), erlang:trace(P, true, [call]), erlang:trace_pattern({M, '_', '_'}, true, [local]), A = ask(P, fun() -> M:f() end), make("2"), B = ask(P, fun() -> M:f() end), L = collect(P), code:purge(M), {A, B, L} end},
     {on_load, fun() -> A = erlang:trace_pattern(on_load, true, [local]), M = make("3"), P = worker(), erlang:trace(P, true, [call]), X = ask(P, fun() -> M:f() end), L = collect(P), I = erlang:trace_info(on_load, traced), erlang:trace_pattern(on_load, false, [local]), code:purge(M), {A, X, L, I} end}].
make(V) ->
    {ok, T, _} = erl_scan:string("-module(trace_tests_made). -export([f/0]). f() -> " ++ V ++ "."),
    {Forms, []} = lists:foldl(fun(X, {Fs, Ts}) when element(1, X) =:= dot -> {ok, F} = erl_parse:parse_form(lists:reverse([X | Ts])), {[F | Fs], []}; (X, {Fs, Ts}) -> {Fs, [X | Ts]} end, {[], []}, T),
    {ok, M, B} = compile:forms(lists:reverse(Forms), []),
    code:purge(M),
    {module, M} = code:load_binary(M, "made", B),
    M.

tracers() ->
    [{other_tracer, fun() -> S = self(), T = spawn(fun() -> relay(S) end), P = worker(), erlang:trace(P, true, [send, {tracer, T}]), ask(P, fun() -> self() ! x end), receive {relayed, M} -> element(3, M) after 2000 -> none end end},
     {already_traced, fun() -> T = worker(), P = worker(), erlang:trace(P, true, [send, {tracer, T}]), result(fun() -> erlang:trace(P, true, [send]) end) end},
     {tracer_dies, fun() -> T = worker(), P = worker(), erlang:trace(P, true, [send, {tracer, T}]), M = monitor(process, T), T ! stop, receive {'DOWN', M, _, _, _} -> ok end, ask(P, fun() -> self() ! x, ok end), {erlang:trace_info(P, flags), erlang:trace(P, true, [send]), tidy(P, erlang:trace_info(P, flags))} end},
     {dead_tracer, fun() -> T = spawn(fun() -> ok end), M = monitor(process, T), receive {'DOWN', M, _, _, _} -> ok end, P = worker(), result(fun() -> erlang:trace(P, true, [send, {tracer, T}]) end) end},
     {dead_tracee, fun() -> T = spawn(fun() -> ok end), M = monitor(process, T), receive {'DOWN', M, _, _, _} -> ok end, result(fun() -> erlang:trace(T, true, [send]) end) end},
     {dbg, fun() -> S = self(), {ok, _} = dbg:tracer(process, {fun(M, N) -> S ! {dbg, element(3, M), element(4, M)}, N + 1 end, 0}), P = worker(), {ok, _} = dbg:p(P, [c]), {ok, _} = dbg:tpl(?MODULE, h, x), ask(P, fun() -> f(1) end),
          L = [receive {dbg, A, B} -> {A, B} after 2000 -> none end || _ <- [1, 2]], dbg:stop_clear(), L end}].
relay(S) -> receive M -> S ! {relayed, M}, relay(S) end.

%% seq_trace: tokens and what the system tracer hears of them.
sequential() ->
    [{seq_none, fun() -> [seq_trace:get_token(), [seq_trace:get_token(K) || K <- [send, label, serial, print, timestamp]], seq_trace:print(x)] end},
     {seq_set, fun() -> A = seq_trace:set_token(label, {my, "label"}), B = seq_trace:set_token(send, true), C = seq_trace:set_token(send, false), D = seq_trace:get_token(label), E = tidy(self(), seq_trace:get_token()), seq_trace:set_token([]), {A, B, C, D, E, seq_trace:get_token()} end},
     {seq_serial, fun() -> A = seq_trace:set_token(serial, {3, 7}), B = seq_trace:get_token(serial), seq_trace:set_token([]), {A, B} end},
     {seq_messages, fun() -> seq_events([send, 'receive'], fun(P) -> P ! {self(), hello}, receive {P, X} -> X end end) end},
     {seq_send_only, fun() -> seq_events([send], fun(P) -> P ! {self(), hello}, receive {P, X} -> X end end) end},
     {seq_print, fun() -> seq_events([print], fun(_) -> [seq_trace:print(one), seq_trace:print(17, two), seq_trace:print(other, three)] end) end},
     {seq_timestamp, fun() -> {X, L} = seq_events([send, monotonic_timestamp], fun(P) -> P ! {self(), hello}, receive {P, X} -> X end end), {X, [{size(E), is_integer(element(size(E), E))} || E <- L]} end},
     {seq_chain, fun() -> S = self(), seq_events([send, 'receive'], fun(P) -> Q = spawn(fun() -> receive X -> S ! {done, X, seq_trace:get_token(label)} end end), P ! {Q, through}, receive {done, _, L} -> L end end) end},
     {seq_lost, fun() -> seq_trace:set_token(label, 1), S = self(), spawn(fun() -> seq_trace:set_token([]), S ! plain end), receive plain -> ok end, seq_trace:get_token() end},
     {seq_spawn, fun() -> seq_trace:set_token(label, inherited), S = self(), spawn(fun() -> S ! seq_trace:get_token(label) end), R = receive X -> X end, seq_trace:set_token([]), R end},
     {seq_collected, fun() -> seq_trace:set_token(label, lists:seq(1, 20)), erlang:garbage_collect(), A = seq_trace:get_token(label), self() ! x, erlang:garbage_collect(), receive x -> ok end, B = seq_trace:get_token(label), seq_trace:set_token([]), {A =:= B, length(B)} end},
     {seq_tracer, fun() -> A = seq_trace:set_system_tracer(self()), B = seq_trace:get_system_tracer() =:= self(), C = seq_trace:set_system_tracer(false), {A, B, C =:= self(), seq_trace:get_system_tracer()} end},
     {seq_process_info, fun() -> seq_trace:set_token(label, 5), R = tidy(self(), process_info(self(), sequential_trace_token)), seq_trace:set_token([]), R end}] ++
    each(seq_bad, fun([A, B]) -> erlang:seq_trace(A, B) end, [[x, true], [send, x], [1, true], [serial, x], [serial, {1, a}], [sequential_trace_token, x]]) ++
    each(seq_info_bad, fun(A) -> erlang:seq_trace_info(A) end, [x, 1, "a"]).

%% Runs F with a token and a partner; what the system tracer got, in order.
seq_events(Flags, F) ->
    P = spawn(fun echo/0),
    Tracer = spawn(fun() -> tracer([]) end),
    false = seq_trace:set_system_tracer(Tracer),
    seq_trace:set_token(label, 17),
    [seq_trace:set_token(Flag, true) || Flag <- Flags],
    X = F(P),
    seq_trace:set_token([]),
    receive after 20 -> ok end,
    seq_trace:set_system_tracer(false),
    Tracer ! {stop, self()},
    L = receive {traced, E} -> E end,
    {X, [tidy(P, M) || M <- L]}.
tracer(L) -> receive {stop, P} -> P ! {traced, lists:reverse(L)}; M -> tracer([M | L]) end.
echo() -> receive {From, X} -> From ! {self(), X}, echo() end.
