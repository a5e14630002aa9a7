%% gen_tests.erl: what OTP's behaviours and services do on top of processes: gen_server, gen_statem, gen_event, supervisor,
%% proc_lib, sys, application, logger, ets owners, global and pg on this node, rpc and erpc, counters and the like.
-module(gen_tests).
-behaviour(gen_server).
-export([tests/0, init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2, code_change/3, handle_continue/2, format_status/2]).
-export([start_worker/1, child/1, log/2, callback/0, slow/1, fails/1]).

tests() ->
    %% Reports go to the tests that ask for them, not between the outcomes.
    _ = logger:remove_handler(default),
    lists:append([servers(), server_ends(), statems(), events(), supervisors(), proc_libs(), syses(), applications(),
                  reports(), owners(), names(), groups(), remote(), counters(), code()]).

result(F) ->
    try {ok, F()}
    catch C:R:S -> {C, R, [{M, N, if is_list(A) -> length(A); true -> A end} || {M, N, A, _} <- lists:sublist(S, 1)]}
    end.
got() -> receive M -> M after 5000 -> nothing end.
all() -> receive M -> [M | all()] after 0 -> [] end.
down(P) when is_pid(P) -> down(monitor(process, P));
down(M) -> receive {'DOWN', M, process, _, R} -> R after 5000 -> alive end.
trap() -> process_flag(trap_exit, true).

%% The gen_server.
init({stop, R}) -> {stop, R};
init(ignore) -> ignore;
init({error, R}) -> error(R);
init({exit, R}) -> exit(R);
init(bad) -> bad_return;
init({continue, P}) -> {ok, {state, P}, {continue, {go, P}}};
init({timeout, P}) -> {ok, P, 5};
init({hibernate, S}) -> {ok, S, hibernate};
init({trap, P}) -> process_flag(trap_exit, true), {ok, P};
init({statem, S}) -> {ok, S, #{}};
init({sup, Spec}) -> {ok, Spec};
init(S) -> {ok, S}.
handle_call({reply, X}, _, S) -> {reply, X, S};
handle_call(state, _, S) -> {reply, S, S};
handle_call({set, X}, _, S) -> {reply, S, X};
handle_call({later, X}, From, S) -> self() ! {answer, From, X}, {noreply, S};
handle_call({stop, R, X}, _, S) -> {stop, R, X, S};
handle_call({stop, R}, _, S) -> {stop, R, S};
handle_call({crash, R}, _, _) -> error(R);
handle_call({exit, R}, _, _) -> exit(R);
handle_call({throw, X}, _, _) -> throw(X);
handle_call(bad, _, _) -> bad_return;
handle_call(never, _, S) -> {noreply, S};
handle_call(timeout, {P, _}, _) -> {reply, ok, P, 5};
handle_call(hibernate, _, S) -> {reply, ok, S, hibernate};
handle_call(continue, {P, _}, S) -> {reply, ok, S, {continue, {go, P}}};
handle_call(X, _, S) -> {reply, {got, X}, S}.
handle_cast({send, P, X}, S) -> P ! X, {noreply, S};
handle_cast({stop, R}, S) -> {stop, R, S};
handle_cast({crash, R}, _) -> error(R);
handle_cast({set, X}, _) -> {noreply, X}.
handle_info({answer, From, X}, S) -> gen_server:reply(From, X), {noreply, S};
handle_info(timeout, P) when is_pid(P) -> P ! timed_out, {noreply, P};
handle_info({'EXIT', _, R}, P) when is_pid(P) -> P ! {exit_seen, R}, {noreply, P};
handle_info({info, P, X}, S) -> P ! {info, X}, {noreply, S};
handle_info(_, S) -> {noreply, S}.
handle_continue({go, P}, S) -> P ! continued, {noreply, S}.
terminate(R, P) when is_pid(P) -> P ! {terminated, R};
terminate(_, _) -> ok.
code_change(_, S, _) -> {ok, {changed, S}}.
format_status(_, [_, S]) -> [{data, [{"State", {formatted, S}}]}].

server(S) -> {ok, P} = gen_server:start(?MODULE, S, []), P.

servers() ->
    [{start, fun() -> P = server(x), {is_pid(P), gen_server:call(P, state), gen_server:stop(P)} end},
     {start_link, fun() -> trap(), {ok, P} = gen_server:start_link(?MODULE, x, []), gen_server:stop(P), receive {'EXIT', P, R} -> R end end},
     {start_monitor, fun() -> {ok, {P, M}} = gen_server:start_monitor(?MODULE, x, []), gen_server:stop(P), receive {'DOWN', M, process, P, R} -> R end end},
     {start_name, fun() -> {ok, P} = gen_server:start({local, gt_name}, ?MODULE, x, []), R = gen_server:start({local, gt_name}, ?MODULE, x, []),
          {R =:= {error, {already_started, P}}, gen_server:call(gt_name, state), gen_server:stop(gt_name), whereis(gt_name)} end},
     {start_global, fun() -> {ok, P} = gen_server:start({global, gt_global}, ?MODULE, x, []), {gen_server:call({global, gt_global}, state), global:whereis_name(gt_global) =:= P, gen_server:stop({global, gt_global})} end},
     {start_via, fun() -> {ok, P} = gen_server:start({via, global, gt_via}, ?MODULE, x, []), {is_pid(P), gen_server:call({via, global, gt_via}, state)} end},
     {call, fun() -> P = server(x), [gen_server:call(P, {reply, N}) || N <- [1, "a", <<"b">>]] end},
     {call_later, fun() -> gen_server:call(server(x), {later, y}) end},
     {call_timeout, fun() -> P = server(x), {C, {timeout, {gen_server, call, [P, never, 20]}}, _} = result(fun() -> gen_server:call(P, never, 20) end), C end},
     {call_late_reply, fun() -> P = server(x), result(fun() -> gen_server:call(P, never, 10) end), {gen_server:call(P, state), all()} end},
     {call_dead, fun() -> P = spawn(fun() -> ok end), down(P), result(fun() -> gen_server:call(P, x) end) end},
     {call_no_name, fun() -> result(fun() -> gen_server:call(gt_nobody, x) end) end},
     {call_other_node, fun() -> result(fun() -> gen_server:call({x, 'no@where'}, x) end) end},
     {call_self, fun() -> result(fun() -> gen_server:call(self(), x) end) end},
     {call_bad, fun() -> result(fun() -> gen_server:call("x", x) end) end},
     {call_bad_timeout, fun() -> P = server(x), result(fun() -> gen_server:call(P, x, foo) end) end},
     {cast, fun() -> P = server(x), {gen_server:cast(P, {send, self(), hey}), got()} end},
     {cast_nobody, fun() -> [gen_server:cast(gt_nobody, x), gen_server:cast({gt_nobody, node()}, x), gen_server:cast({x, 'no@where'}, x)] end},
     {abcast, fun() -> {ok, _} = gen_server:start({local, gt_abcast}, ?MODULE, x, []), {gen_server:abcast(gt_abcast, {send, self(), hi}), got()} end},
     {multi_call, fun() -> {ok, _} = gen_server:start({local, gt_multi}, ?MODULE, x, []), gen_server:multi_call(gt_multi, state) end},
     {info, fun() -> P = server(x), P ! {info, self(), 1}, got() end},
     {continue, fun() -> {ok, _} = gen_server:start(?MODULE, {continue, self()}, []), got() end},
     {continue_call, fun() -> P = server(x), {gen_server:call(P, continue), got()} end},
     {init_timeout, fun() -> {ok, _} = gen_server:start(?MODULE, {timeout, self()}, []), got() end},
     {timeout, fun() -> P = server(x), {gen_server:call(P, timeout), got()} end},
     {hibernate, fun() -> P = server(x), {gen_server:call(P, hibernate), gen_server:call(P, state)} end},
     {hibernate_init, fun() -> {ok, P} = gen_server:start(?MODULE, {hibernate, s}, []), gen_server:call(P, state) end},
     {throw_reply, fun() -> P = server(x), gen_server:call(P, {throw, {reply, thrown, x}}) end},
     {requests, fun() -> P = server(x), R = gen_server:send_request(P, {reply, 1}), gen_server:receive_response(R, 1000) end},
     {requests_wait, fun() -> P = server(x), R = gen_server:send_request(P, {later, 2}), gen_server:wait_response(R, infinity) end},
     {request_check, fun() -> P = server(x), R = gen_server:send_request(P, {later, 2}), M = got(), gen_server:check_response(M, R) end},
     {request_dead, fun() -> R = gen_server:send_request(gt_nobody, x), {error, {X, gt_nobody}} = gen_server:receive_response(R, 1000), X end},
     {request_collection, fun() -> P = server(x), C0 = gen_server:reqids_new(), C1 = gen_server:send_request(P, {reply, a}, one, C0), C2 = gen_server:send_request(P, {reply, b}, two, C1),
          {R1, L1, C3} = gen_server:receive_response(C2, 1000, true), {R2, L2, C4} = gen_server:receive_response(C3, 1000, true), {lists:sort([{R1, L1}, {R2, L2}]), gen_server:reqids_size(C4)} end},
     {many_callers, fun() -> P = server(x), S = self(), [spawn(fun() -> S ! gen_server:call(P, {reply, N}) end) || N <- lists:seq(1, 200)], lists:sum([got() || _ <- lists:seq(1, 200)]) end}].

server_ends() ->
    Ends = [{stop, normal, r}, {stop, shutdown, r}, {stop, {shutdown, x}, r}, {stop, other, r}, {stop, other}, {crash, oops}, {exit, leaving}, {throw, x}, bad],
    [{{init, X}, fun() -> trap(), {R, L} = {result(fun() -> gen_server:start_link(?MODULE, X, []) end), [last('EXIT')]}, {simple(R), [simple({E, W}) || {'EXIT', _, {E, W}} <- L] ++ [W || {'EXIT', _, W} <- L, is_atom(W)]} end}
        || X <- [{stop, reason}, {stop, normal}, ignore, {error, oops}, {exit, gone}, bad]] ++
    [{{end_by, X}, fun() -> trap(), {ok, P} = gen_server:start_link(?MODULE, self(), []), R = result(fun() -> gen_server:call(P, X) end), {'EXIT', P, W} = last('EXIT'), {simple(R), simple(W)} end} || X <- Ends] ++
    [{stop_reason, fun() -> P = server(self()), {gen_server:stop(P, because, 1000), got()} end},
     {stop_dead, fun() -> result(fun() -> gen_server:stop(gt_nobody) end) end},
     {cast_stop, fun() -> P = server(self()), M = monitor(process, P), gen_server:cast(P, {stop, normal}), {got(), down(M)} end},
     {exit_not_trapping, fun() -> P = server(self()), exit(P, out), {down(P), all()} end},
     {exit_from_parent, fun() -> S = self(), M = spawn(fun() -> {ok, P} = gen_server:start_link(?MODULE, {trap, S}, []), S ! P, receive go -> exit(parent_gone) end end), P = got(), W = monitor(process, P), M ! go, {got(), down(W)} end},
     {exit_from_other, fun() -> {ok, P} = gen_server:start(?MODULE, {trap, self()}, []), exit(P, hello), got() end},
     {timeout_in_start, fun() -> simple(result(fun() -> gen_server:start(?MODULE, x, [{timeout, 1000}, {debug, []}, {spawn_opt, [{priority, low}]}]) end)) end}].

last(Tag) -> receive M when element(1, M) =:= Tag -> M after 5000 -> nothing end.
%% Stack traces down to their first frame, pids away.
simple({ok, {ok, P}}) when is_pid(P) -> started;
simple({exit, R, _}) -> {exit, simple(R)};
simple({error, R, _}) -> {error, simple(R)};
simple({{R, [{M, F, _, _} | _]}, {gen_server, call, _}}) -> {R, {M, F}, in_call};
simple({R, {gen_server, call, _}}) -> {simple(R), in_call};
simple({R, [{M, F, _, _} | _]}) -> {R, {M, F}};
simple({ok, {error, R}}) -> {returned, simple(R)};
simple(X) -> X.

statems() ->
    [{statem, fun() -> {ok, P} = gen_statem:start(gen_tests_statem(), [], []), [gen_statem:call(P, X) || X <- [which, next, which, next, which, {count, 5}]] end},
     {statem_stop, fun() -> {ok, P} = gen_statem:start(gen_tests_statem(), [], []), {gen_statem:stop(P), is_process_alive(P)} end},
     {statem_timeout, fun() -> {ok, P} = gen_statem:start(gen_tests_statem(), [], []), {gen_statem:call(P, {arm, self()}), got()} end},
     {statem_postpone, fun() -> {ok, P} = gen_statem:start(gen_tests_statem(), [], []), S = self(), spawn(fun() -> S ! {later, gen_statem:call(P, in_b)} end), gen_statem:call(P, which), gen_statem:call(P, next), got() end},
     {statem_crash, fun() -> {ok, P} = gen_statem:start(gen_tests_statem(), [], []), R = result(fun() -> gen_statem:call(P, crash) end), {element(1, R), simple(element(1, element(2, R)))} end},
     {statem_cast, fun() -> {ok, P} = gen_statem:start(gen_tests_statem(), [], []), gen_statem:cast(P, {hello, self()}), got() end},
     {statem_state, fun() -> {ok, P} = gen_statem:start(gen_tests_statem(), [], []), sys:get_state(P) end}].

%% Callback modules made on the spot, from source.
make(Name, Lines) ->
    case code:is_loaded(Name) of
        {file, _} -> Name;
        false ->
            {ok, Tokens, _} = erl_scan:string(lists:append(Lines)),
            Forms = [begin {ok, F} = erl_parse:parse_form(T), F end || T <- split(Tokens)],
            {ok, Name, B} = compile:forms(Forms, []),
            {module, Name} = code:load_binary(Name, atom_to_list(Name), B),
            Name
    end.
split([]) -> [];
split(Tokens) -> {A, [Dot | B]} = lists:splitwith(fun(T) -> element(1, T) =/= dot end, Tokens), [A ++ [Dot] | split(B)].

gen_tests_statem() ->
    make(gen_tests_statem,
         ["-module(gen_tests_statem). -export([init/1, callback_mode/0, a/3, b/3]). ",
          "callback_mode() -> state_functions. ",
          "init([]) -> {ok, a, 0}. ",
          "a({call, F}, which, D) -> {keep_state, D, [{reply, F, a}]}; ",
          "a({call, F}, next, D) -> {next_state, b, D + 1, [{reply, F, ok}]}; ",
          "a({call, F}, {arm, P}, _) -> {keep_state, P, [{reply, F, armed}, {state_timeout, 5, fire}]}; ",
          "a(state_timeout, fire, P) -> P ! fired, keep_state_and_data; ",
          "a({call, _}, in_b, _) -> {keep_state_and_data, [postpone]}; ",
          "a({call, _}, crash, _) -> error(crashed); ",
          "a(cast, {hello, P}, _) -> P ! hello_back, keep_state_and_data; ",
          "a({call, F}, {count, N}, D) -> {keep_state, D + N, [{reply, F, D + N}]}. ",
          "b({call, F}, which, D) -> {keep_state, D, [{reply, F, {b, D}}]}; ",
          "b({call, F}, in_b, _) -> {keep_state_and_data, [{reply, F, was_in_b}]}; ",
          "b({call, F}, next, D) -> {next_state, a, D + 1, [{reply, F, ok}]}. "]).

events() ->
    [{event, fun() -> {ok, P} = gen_event:start(), H = gen_tests_event(), A = gen_event:add_handler(P, H, self()), gen_event:notify(P, one), gen_event:sync_notify(P, two),
          B = gen_event:call(P, H, ask), C = gen_event:which_handlers(P), D = gen_event:delete_handler(P, H, bye), {A, B, C, D, all()} end},
     {event_crash, fun() -> {ok, P} = gen_event:start(), H = gen_tests_event(), gen_event:add_sup_handler(P, H, self()), gen_event:notify(P, crash), {gen_event_EXIT, H, R} = got(), element(1, element(2, R)) end},
     {event_unknown, fun() -> {ok, P} = gen_event:start(), {gen_event:call(P, nothing, x), gen_event:delete_handler(P, nothing, x)} end}].

gen_tests_event() ->
    make(gen_tests_event,
         ["-module(gen_tests_event). -export([init/1, handle_event/2, handle_call/2, terminate/2]). ",
          "init(P) -> {ok, P}. handle_event(crash, _) -> error(crashed); handle_event(E, P) -> P ! {event, E}, {ok, P}. ",
          "handle_call(X, P) -> {ok, {answer, X}, P}. terminate(R, P) -> P ! {ended, R}, terminated. "]).

start_worker(S) -> gen_server:start_link(?MODULE, S, []).
child(Id) -> #{id => Id, start => {?MODULE, start_worker, [Id]}}.
supervisor(Flags, Children) -> {ok, P} = supervisor:start_link(?MODULE, {sup, {Flags, Children}}), P.
shape(L) -> lists:sort([{Id, if is_pid(P) -> pid; true -> P end, T, M} || {Id, P, T, M} <- L]).
pid_of(Sup, Id) -> {Id, P, _, _} = lists:keyfind(Id, 1, supervisor:which_children(Sup)), P.
%% Waits until the child is another process than Old.
restarted(Sup, Id, Old) -> case pid_of(Sup, Id) of P when is_pid(P), P =/= Old -> P; _ -> timer:sleep(1), restarted(Sup, Id, Old) end.

supervisors() ->
    [{start, fun() -> S = supervisor(#{}, [child(a), child(b)]), {shape(supervisor:which_children(S)), supervisor:count_children(S)} end},
     {restart, fun() -> trap(), S = supervisor(#{}, [child(a), child(b)]), A = pid_of(S, a), B = pid_of(S, b), exit(A, kill), A2 = restarted(S, a, A), {A =/= A2, pid_of(S, b) =:= B} end},
     {one_for_all, fun() -> trap(), S = supervisor(#{strategy => one_for_all}, [child(a), child(b)]), A = pid_of(S, a), B = pid_of(S, b), exit(A, kill), restarted(S, a, A), restarted(S, b, B) =/= B end},
     {rest_for_one, fun() -> trap(), S = supervisor(#{strategy => rest_for_one}, [child(a), child(b), child(c)]), [A, B, C] = [pid_of(S, X) || X <- [a, b, c]], exit(B, kill), restarted(S, b, B), restarted(S, c, C), pid_of(S, a) =:= A end},
     {too_many, fun() -> trap(), S = supervisor(#{intensity => 0}, [child(a)]), exit(pid_of(S, a), kill), receive {'EXIT', S, R} -> R end end},
     {simple, fun() -> S = supervisor(#{strategy => simple_one_for_one}, [#{id => w, start => {?MODULE, start_worker, []}}]), {ok, P} = supervisor:start_child(S, [x]), {ok, _} = supervisor:start_child(S, [y]),
          {gen_server:call(P, state), supervisor:count_children(S), supervisor:terminate_child(S, P), proplists:get_value(active, supervisor:count_children(S))} end},
     {dynamic, fun() -> S = supervisor(#{}, []), {ok, P} = supervisor:start_child(S, child(a)), {is_pid(P), element(1, supervisor:start_child(S, child(a))), supervisor:terminate_child(S, a), shape(supervisor:which_children(S)),
          element(1, supervisor:restart_child(S, a)), supervisor:delete_child(S, a), supervisor:terminate_child(S, a), supervisor:delete_child(S, a), supervisor:delete_child(S, zzz)} end},
     {transient, fun() -> trap(), S = supervisor(#{}, [(child(a))#{restart => transient}]), gen_server:stop(pid_of(S, a)), shape(supervisor:which_children(S)) end},
     {temporary, fun() -> trap(), S = supervisor(#{}, [(child(a))#{restart => temporary}]), P = pid_of(S, a), exit(P, kill), down(P), shape(supervisor:which_children(S)) end},
     {shutdown_order, fun() -> trap(), T = self(), S = supervisor(#{}, [(child(N))#{start => {?MODULE, start_worker, [{trap, T}]}} || N <- [a, b]]), W = monitor(process, S), exit(S, shutdown), {down(W), [M || {terminated, _} = M <- all()]} end},
     {brutal, fun() -> trap(), S = supervisor(#{}, [(child(a))#{shutdown => brutal_kill}]), P = pid_of(S, a), M = monitor(process, P), exit(S, shutdown), receive {'DOWN', M, _, _, R} -> R end end},
     {get_spec, fun() -> S = supervisor(#{}, [child(a)]), supervisor:get_childspec(S, a) end},
     {bad_child, fun() -> trap(), S = supervisor(#{}, []), [supervisor:start_child(S, X) || X <- [x, #{}, #{id => a}, #{id => a, start => x}]] end},
     {bad_flags, fun() -> trap(), supervisor:start_link(?MODULE, {sup, {#{strategy => x}, []}}) end},
     {failing_child, fun() -> trap(), {error, {shutdown, {failed_to_start_child, a, R}}} = supervisor:start_link(?MODULE, {sup, {#{}, [(child(a))#{start => {?MODULE, start_worker, [{stop, no}]}}]}}), R end},
     {ignored_child, fun() -> S = supervisor(#{}, [(child(a))#{start => {?MODULE, start_worker, [ignore]}}]), shape(supervisor:which_children(S)) end},
     {auto_shutdown, fun() -> trap(), S = supervisor(#{auto_shutdown => any_significant}, [(child(a))#{restart => temporary, significant => true}]), gen_server:stop(pid_of(S, a)), receive {'EXIT', S, R} -> R end end}].

callback() -> proc_lib:init_ack({ok, self()}), receive stop -> ok end.
proc_libs() ->
    [{spawn, fun() -> S = self(), P = proc_lib:spawn(fun() -> S ! {get('$ancestors') =:= [S], get('$initial_call')} end), X = got(), down(P), X end},
     {start, fun() -> {ok, P} = proc_lib:start(?MODULE, callback, []), {is_pid(P), proc_lib:translate_initial_call(P), proc_lib:initial_call(P)} end},
     {start_link_crash, fun() -> trap(), {error, R} = proc_lib:start_link(erlang, error, [bad]), simple(R) end},
     {start_timeout, fun() -> proc_lib:start(timer, sleep, [100000], 20) end},
     {start_monitor, fun() -> {{ok, P}, M} = proc_lib:start_monitor(?MODULE, callback, []), P ! stop, receive {'DOWN', M, process, P, R} -> R end end},
     {stop, fun() -> P = server(x), proc_lib:stop(P, shutdown, 1000) end},
     {hibernate, fun() -> S = self(), P = proc_lib:spawn(fun() -> proc_lib:hibernate(erlang, send, [S, woken]) end), P ! x, got() end},
     {crash_report, fun() -> reports(fun() -> P = proc_lib:spawn(fun() -> error(boom) end), down(P), P end) end}].

syses() ->
    [{get_state, fun() -> P = server({a, 1}), {sys:get_state(P), sys:replace_state(P, fun(S) -> {changed, S} end), sys:get_state(P)} end},
     {get_status, fun() -> P = server(x), {status, P, {module, M}, [_, running, _, _, Misc]} = sys:get_status(P), {M, lists:last(Misc)} end},
     {suspend, fun() -> P = server(x), A = sys:suspend(P), B = result(fun() -> gen_server:call(P, state, 20) end), C = sys:resume(P), {A, element(1, B), C, gen_server:call(P, state)} end},
     {trace, fun() -> P = server(x), S = self(), sys:install(P, {fun(A, E, _) -> S ! {seen, kind(E)}, A end, st}), gen_server:call(P, state), R = all(), sys:remove(P, fun(A, _, _) -> A end), R end},
     {statistics, fun() -> P = server(x), A = sys:statistics(P, true), gen_server:call(P, state), {ok, L} = sys:statistics(P, get), {A, [lists:keyfind(K, 1, L) || K <- [messages_in, messages_out]], sys:statistics(P, false)} end},
     {log, fun() -> P = server(x), sys:log(P, true), gen_server:call(P, state), {ok, L} = sys:log(P, get), {is_list(L), sys:log(P, false)} end},
     {code_change, fun() -> P = server(x), sys:suspend(P), A = sys:change_code(P, ?MODULE, undefined, extra), sys:resume(P), {A, gen_server:call(P, state)} end},
     {terminate, fun() -> P = server(self()), M = monitor(process, P), {sys:terminate(P, because), got(), down(M)} end},
     {dead, fun() -> element(1, result(fun() -> sys:get_state(gt_nobody) end)) end}].

kind({in, {'$gen_call', _, M}}) -> {in, M};
kind({in, M}) -> {in, M};
kind({out, M, _, _}) -> {out, M};
kind(X) -> element(1, X).

applications() ->
    [{started, fun() -> [A || {A, _, _} <- lists:sort(application:which_applications())] end},
     {environment, fun() -> application:set_env(gen_tests, key, value), A = application:get_env(gen_tests, key), B = application:get_all_env(gen_tests), application:unset_env(gen_tests, key), {A, B, application:get_env(gen_tests, key)} end},
     {load, fun() -> S = {application, gen_tests_app, [{description, "d"}, {vsn, "1"}, {modules, []}, {registered, []}, {applications, [kernel]}, {env, [{a, 1}]}]},
          A = application:load(S), B = application:load(S), C = application:get_env(gen_tests_app, a), D = application:get_key(gen_tests_app, vsn), {A, B, C, D, application:start(gen_tests_app), application:stop(gen_tests_app), application:unload(gen_tests_app)} end},
     {missing, fun() -> element(1, application:start(no_such_application)) end},
     {get_application, fun() -> {application:get_application(lists), application:get_application(self())} end},
     {ensure, fun() -> {ok, L} = application:ensure_all_started(stdlib), L end}].

log(Event, #{config := S}) -> S ! {log, Event}.
reports(F) ->
    ok = logger:set_primary_config(level, all),
    ok = logger:add_handler(?MODULE, ?MODULE, #{config => self()}),
    F(),
    _ = sys:get_state(logger),
    ok = logger:remove_handler(?MODULE),
    ok = logger:set_primary_config(level, notice),
    [text(E) || {log, E} <- all()].
%% The first lines of a report's text, numbers of processes taken out.
text(#{meta := Meta} = E) ->
    T = unicode:characters_to_list(logger_formatter:format(E#{meta => Meta#{time => 0}}, #{template => [level, ": ", msg], single_line => false})),
    re:replace(lists:sublist(T, 300), "<[0-9.]+>|#Ref<[0-9.]+>", "*", [global, {return, list}]).

reports() ->
    [{logger, fun() -> reports(fun() -> logger:error("text ~p", [{a, 1}]), logger:warning(#{k => v}), logger:notice("plain"), logger:debug("low"), logger:error([{report, 1}]) end) end},
     {error_logger, fun() -> reports(fun() -> error_logger:error_msg("old ~p~n", [x]), error_logger:info_report([{a, 1}]), error_logger:warning_msg("w") end) end},
     {server_crash, fun() -> reports(fun() -> P = server(x), catch gen_server:call(P, {crash, oops}), down(P) end) end},
     {metadata, fun() -> logger:set_process_metadata(#{my => data}), reports(fun() -> logger:error("x") end), logger:get_process_metadata() end},
     {levels, fun() -> [logger:compare_levels(A, B) || A <- [error, debug], B <- [emergency, error, debug]] end},
     {module_level, fun() -> logger:set_module_level(?MODULE, debug), A = logger:get_module_level(?MODULE), logger:unset_module_level(?MODULE), {A, logger:get_module_level(?MODULE)} end},
     {filters, fun() -> logger:add_primary_filter(gt, {fun(#{level := error}, _) -> stop; (E, _) -> E end, []}), R = reports(fun() -> logger:error("no"), logger:warning("yes") end), logger:remove_primary_filter(gt), R end}].

owners() ->
    [{give_away, fun() -> S = self(), T = ets:new(t, []), P = spawn(fun() -> receive {'ETS-TRANSFER', T, S, D} -> S ! {D, ets:info(T, owner) =:= self()} end end), {ets:give_away(T, P, data), got()} end},
     {heir, fun() -> S = self(), P = spawn(fun() -> T = ets:new(t, [{heir, S, inherit}]), ets:insert(T, {a, 1}) end), receive {'ETS-TRANSFER', T, P, D} -> {D, ets:tab2list(T), ets:info(T, owner) =:= S} after 2000 -> none end end},
     {dies_with_owner, fun() -> S = self(), P = spawn(fun() -> S ! ets:new(t, [public]) end), T = got(), down(P), ets:info(T) end}].

names() ->
    [{global_register, fun() -> {global:register_name(gt_g, self()), global:whereis_name(gt_g) =:= self(), global:send(gt_g, hi) =:= self(), got(), global:unregister_name(gt_g), global:whereis_name(gt_g)} end},
     {global_again, fun() -> global:register_name(gt_h, self()), P = spawn(fun() -> receive x -> ok end end), {global:register_name(gt_h, P), global:registered_names() =/= []} end},
     {global_dies, fun() -> P = spawn(fun() -> receive x -> ok end end), global:register_name(gt_i, P), P ! x, down(P), global:sync(), timer:sleep(20), global:whereis_name(gt_i) end},
     {global_lock, fun() -> {global:set_lock({gt_lock, self()}), global:trans({gt_lock, self()}, fun() -> inside end), global:del_lock({gt_lock, self()})} end},
     {nodes, fun() -> {node(), nodes(), nodes(this), is_alive(), net_kernel:get_state(), net_adm:ping('no@where')} end}].

groups() ->
    [{pg, fun() -> {ok, _} = pg:start(gt_scope), S = self(), A = pg:join(gt_scope, g, S), B = pg:get_members(gt_scope, g) =:= [S], C = pg:which_groups(gt_scope), D = pg:leave(gt_scope, g, S), {A, B, C, D, pg:get_members(gt_scope, g)} end},
     {pg_dies, fun() -> {ok, _} = pg:start(gt_scope2), P = spawn(fun() -> receive x -> ok end end), pg:join(gt_scope2, g, [P, P]), N = length(pg:get_members(gt_scope2, g)), P ! x, down(P), sys:get_state(gt_scope2), {N, pg:get_members(gt_scope2, g)} end},
     {pg_monitor, fun() -> {ok, _} = pg:start(gt_scope3), {R, M} = pg:monitor(gt_scope3, g), S = self(), pg:join(gt_scope3, g, S), {R2, join, g, L} = got(), {R =:= R2, M, L =:= [S]} end}].

slow(N) -> timer:sleep(N), slept.
fails(R) -> error(R).
remote() ->
    [{erpc_call, fun() -> [erpc:call(node(), lists, seq, [1, 3]), erpc:call(node(), fun() -> x end)] end},
     {erpc_errors, fun() -> [kind_of(result(fun() -> erpc:call(node(), ?MODULE, fails, [oops]) end)), kind_of(result(fun() -> erpc:call(node(), erlang, exit, [e]) end)), kind_of(result(fun() -> erpc:call(node(), erlang, throw, [t]) end)),
          kind_of(result(fun() -> erpc:call('no@where', lists, seq, [1, 2]) end)), kind_of(result(fun() -> erpc:call(node(), ?MODULE, slow, [1000], 10) end)), kind_of(result(fun() -> erpc:call(x, y, z, q) end))] end},
     {erpc_requests, fun() -> R = erpc:send_request(node(), lists, sum, [[1, 2]]), erpc:receive_response(R) end},
     {erpc_multicall, fun() -> erpc:multicall([node(), 'no@where'], lists, sum, [[1, 2]]) end},
     {erpc_cast, fun() -> {erpc:cast(node(), erlang, send, [self(), cast]), got()} end},
     {rpc_call, fun() -> [rpc:call(node(), lists, sum, [[1, 2]]), rpc:call('no@where', lists, sum, [[1, 2]]), element(1, rpc:call(node(), ?MODULE, fails, [x]))] end},
     {rpc_more, fun() -> [rpc:multicall([node()], erlang, node, []), rpc:async_call(node(), erlang, node, []) =/= x, rpc:block_call(node(), erlang, node, []), rpc:pmap({erlang, abs}, [], [-1, -2])] end},
     {rpc_cast, fun() -> {rpc:cast(node(), erlang, send, [self(), cast]), got()} end}].

kind_of({C, R, _}) -> {C, if is_tuple(R), tuple_size(R) =:= 3 -> {element(1, R), element(2, R)}; true -> R end};
kind_of(X) -> X.

counters() ->
    [{counters, fun() -> C = counters:new(3, [write_concurrency]), counters:add(C, 1, 5), counters:sub(C, 2, 3), counters:put(C, 3, 7), {[counters:get(C, N) || N <- [1, 2, 3]], maps:get(size, counters:info(C))} end},
     {counters_shared, fun() -> C = counters:new(1, []), Ps = [spawn_monitor(fun() -> [counters:add(C, 1, 1) || _ <- lists:seq(1, 1000)] end) || _ <- lists:seq(1, 10)], [receive {'DOWN', M, _, _, _} -> ok end || {_, M} <- Ps], counters:get(C, 1) end},
     {atomics, fun() -> A = atomics:new(2, [{signed, false}]), {atomics:add_get(A, 1, 5), atomics:exchange(A, 1, 9), atomics:compare_exchange(A, 1, 9, 1), atomics:compare_exchange(A, 1, 9, 2), atomics:get(A, 1)} end},
     {persistent, fun() -> persistent_term:put({?MODULE, k}, [1, 2]), A = persistent_term:get({?MODULE, k}), B = persistent_term:erase({?MODULE, k}), {A, B, persistent_term:get({?MODULE, k}, none), persistent_term:erase({?MODULE, k})} end},
     {rand, fun() -> S = rand:seed_s(exsss, {1, 2, 3}), {X, _} = rand:uniform_s(1000, S), X end}].

code() ->
    [{which, fun() -> [is_list(code:which(lists)), code:which(erlang), code:which(no_such), code:is_loaded(lists) =/= false] end},
     {ensure, fun() -> [code:ensure_loaded(lists), code:ensure_loaded(no_such_module_x)] end},
     {priv, fun() -> [code:priv_dir(no_such_lib), is_list(code:lib_dir(stdlib)), is_list(code:root_dir())] end},
     {parallel, fun() -> S = self(), [spawn(fun() -> S ! code:ensure_loaded(M) end) || M <- [queue, gb_sets, array, dict, orddict, sofs, digraph, string], _ <- [1, 2, 3]], lists:usort([element(1, got()) || _ <- lists:seq(1, 24)]) end}].
