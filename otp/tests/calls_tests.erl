%% process_flag(save_calls, N): which calls and events a process remembers.
-module(calls_tests).
-export([tests/0, f/1, g/1, loop/2]).

tests() ->
    [{none, fun() -> saved(fun() -> ok end) end},
     {native, fun() -> saved(fun() -> lists:reverse([1]) end) end},
     {remote, fun() -> saved(fun() -> ?MODULE:f(3) end) end},
     {local, fun() -> saved(fun() -> g(3) end) end},
     {tail_call, fun() -> saved(fun() -> ?MODULE:g(1) end) end},
     {applied, fun() -> saved(fun() -> apply(?MODULE, id(f), [2]), apply(lists, id(reverse), [[1]]) end) end},
     {higher_order, fun() -> saved(fun() -> lists:map(fun(X) -> ?MODULE:f(X) end, [1, 2]), maps:put(a, 1, #{}) end) end},
     {guards, fun() -> saved(fun() -> guards({a, -1}) end) end},
     {dictionary, fun() -> saved(fun() -> put(a, id(1)), erase(a) end) end},
     {send, fun() -> saved(fun() -> self() ! a, receive a -> ok end end) end},
     {send_call, fun() -> saved(fun() -> erlang:send(self(), b), receive b -> ok end end) end},
     {timeouts, fun() -> saved(fun() -> receive x -> ok after 0 -> ok end, receive x -> ok after 5 -> ok end end) end},
     {caught, fun() -> saved(fun() -> catch lists:reverse(id(a)), catch exit(a), catch throw(b) end) end},
     {ring, fun ring/0}, {long_ring, fun long_ring/0}, {ring_of_one, fun ring_of_one/0}, {other, fun other/0},
     {off, fun off/0}, {compiled, fun compiled/0}, {loaded_meanwhile, fun loaded_meanwhile/0}, {many, fun many/0},
     {dies, fun dies/0}, {afterwards, fun afterwards/0}].

id(X) -> X.
f(X) -> X + 1.
g(X) -> f(X).

guards(T) when element(1, T) =:= a, tuple_size(T) =:= 2, abs(element(2, T)) > 0 -> {self(), is_atom(element(1, T))}.

saved(F) -> saved(30, F).
saved(N, F) ->
    {Pid, M} = spawn_monitor(fun() ->
        process_flag(save_calls, N),
        F(),
        {last_calls, L} = process_info(self(), last_calls),
        exit(L) end),
    receive {'DOWN', M, process, Pid, R} -> R end.

ring() -> saved(3, fun() -> [?MODULE:f(X) || X <- [1, 2, 3, 4, 5]], lists:reverse([]) end).
long_ring() -> saved(10000, fun() -> [?MODULE:f(X) || X <- lists:seq(1, 100)] end).
ring_of_one() -> saved(1, fun() -> ?MODULE:f(1) end).

other() ->
    Self = self(),
    Pid = spawn(fun() -> receive go -> ?MODULE:f(1), Self ! done, receive stop -> ok end end end),
    wait(Pid),
    A = process_flag(Pid, save_calls, 10),
    Pid ! go,
    receive done -> ok end,
    wait(Pid),
    {last_calls, B} = process_info(Pid, last_calls),
    C = process_flag(Pid, save_calls, 4),
    D = process_info(Pid, last_calls),
    E = process_flag(Pid, save_calls, 0),
    F = process_info(Pid, last_calls),
    exit(Pid, kill),
    {A, B, C, D, E, F}.

wait(Pid) ->
    case process_info(Pid, status) of
        {status, waiting} -> ok;
        _ -> erlang:yield(), wait(Pid)
    end.

off() ->
    A = process_info(self(), last_calls),
    B = process_flag(save_calls, 5),
    C = process_flag(save_calls, 0),
    {A, B, C, process_info(self(), last_calls)}.

%% Hot code records as well as cold code.
loop(0, A) -> A;
loop(N, A) -> ?MODULE:loop(N - 1, A + 1).

compiled() ->
    loop(50000, 0),
    L = saved(5, fun() -> ?MODULE:loop(1000, 0) end),
    {L, loop(50000, 0)}.

loaded_meanwhile() ->
    Forms = [{attribute, 1, module, calls_tests_new}, {attribute, 1, export, [{h, 1}]},
             {function, 1, h, 1, [{clause, 1, [{var, 1, 'X'}], [], [{var, 1, 'X'}]}]}],
    {ok, Name, Binary} = compile:forms(Forms, []),
    {Pid, M} = spawn_monitor(fun() ->
        process_flag(save_calls, 3),
        {module, Name} = code:load_binary(Name, "none", Binary),
        Name:h(1),
        Name:h(2),
        exit(process_info(self(), last_calls)) end),
    R = receive {'DOWN', M, process, Pid, X} -> X end,
    code:delete(Name),
    code:purge(Name),
    R.

many() ->
    Ps = [spawn_monitor(fun() ->
              process_flag(save_calls, 1 + I rem 7),
              [?MODULE:f(X) || X <- lists:seq(1, 50)],
              erlang:yield(),
              process_flag(save_calls, I rem 3),
              ?MODULE:f(1),
              {last_calls, L} = process_info(self(), last_calls),
              exit(L) end) || I <- lists:seq(1, 40)],
    [receive {'DOWN', M, process, _, R} -> R end || {_, M} <- Ps].

dies() ->
    {Pid, M} = spawn_monitor(fun() -> process_flag(save_calls, 100), receive never -> ok end end),
    wait(Pid),
    exit(Pid, kill),
    receive {'DOWN', M, process, Pid, R} -> {R, ?MODULE:f(1)} end.

%% Nothing is left of it.
afterwards() -> {process_info(self(), last_calls), loop(1000, 0), lists:reverse([1, 2]), catch lists:reverse(id(a), x, y)}.
