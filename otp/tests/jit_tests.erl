%% What programs can see of code that has become hot: pre-emption, process_info, code changes, exceptions with their
%% stack traces, and code of unusual shapes. Each function is called often enough for the JIT to take it.
-module(jit_tests).
-export([tests/0]).
-export([spin/2, spin_body/2, ping/1, pong/1, boxes/2, sleeper/1, target/0, target/1, target/2, target/3, napping/1]).

-define(HOT, 3000).

tests() ->
    [{killed, fun killed/0}, {suspended, fun suspended/0}, {collected, fun collected/0},
     {current_function, fun current_function/0}, {current_stack, fun current_stack/0}, {shared_fairly, fun shared_fairly/0},
     {exit_signal, fun exit_signal/0}, {reductions_grow, fun reductions_grow/0},
     {old_code_continues, fun old_code_continues/0}, {purge_kills, fun purge_kills/0}, {soft_purge, fun soft_purge/0},
     {many_versions, fun many_versions/0}, {old_fun, fun old_fun/0}, {hot_upgrade, fun hot_upgrade/0},
     {deleted, fun deleted/0}, {traced_callee, fun traced_callee/0}, {inlined_stack, fun inlined_stack/0},
     {inlined_counts, fun inlined_counts/0}, {known_tuples, fun known_tuples/0}, {setelements, fun setelements/0}]
    ++ [{{trace, Name}, fun() -> failing(F) end} || {Name, F} <- failures()]
    ++ [{{trace_deep, N}, fun() -> deep_failure(N) end} || N <- [1, 3, 7, 8, 20]]
    ++ [{deep, fun deep/0}, {deep_data, fun deep_data/0}, {catches, fun catches/0}, {tries, fun tries/0}, {afters, fun afters/0},
        {raise_again, fun raise_again/0}, {nested_catch, fun nested_catch/0}, {catch_last, fun catch_last/0},
        {markers, fun markers/0}, {selective, fun selective/0}, {timeouts, fun timeouts/0}, {hibernation, fun hibernation/0},
        {harmonic, fun harmonic/0}, {logistic, fun logistic/0}, {planets, fun planets/0}, {float_edges, fun float_edges/0},
        {float_errors, fun float_errors/0}, {integers_grow, fun integers_grow/0}, {small_edges, fun small_edges/0},
        {change_of_types, fun change_of_types/0}, {compare_mixed, fun compare_mixed/0},
        {select_dense, fun select_dense/0}, {select_sparse, fun select_sparse/0}, {select_atoms, fun select_atoms/0},
        {select_arity, fun select_arity/0}, {select_terms, fun select_terms/0}, {select_next, fun select_next/0}, {clauses, fun clauses/0},
        {arguments, fun arguments/0}, {huge, fun huge/0}, {many_registers, fun many_registers/0},
        {apply_arities, fun apply_arities/0}, {fun_arities, fun fun_arities/0}, {closures, fun closures/0},
        {fun_tail_calls, fun fun_tail_calls/0}, {mutual, fun mutual/0}, {maps_hot, fun maps_hot/0}, {records, fun records/0},
        {binaries, fun binaries/0}, {building, fun building/0}, {dictionary, fun dictionary/0}, {comprehensions, fun comprehensions/0},
        {empty_field, fun empty_field/0}, {minus_zero, fun minus_zero/0}, {map_keys, fun map_keys/0}, {traced, fun traced/0}].

%% ------------------------------------------------------------------------------------------------ inlining

twice(X) -> 2 * half(X) + 1.
half(X) when X > 0 -> X - 1;
half(X) -> X.
doubled(0, Sum) -> Sum;
doubled(N, Sum) -> doubled(N - 1, Sum + twice(N)).

%% A breakpoint in a function whose code others have taken in.
traced_callee() ->
    Hot = doubled(?HOT * 10, 0),
    erlang:trace_pattern({?MODULE, half, 1}, true, [local]),
    erlang:trace(self(), true, [call]),
    Traced = doubled(3, 0),
    erlang:trace(self(), false, [call]),
    erlang:trace_pattern({?MODULE, half, 1}, false, [local]),
    {Hot, Traced, [receive {trace, _, call, MFA} -> MFA after 1000 -> none end || _ <- [1, 2, 3]],
     receive X -> X after 0 -> none end, doubled(?HOT, 0)}.

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

compile(Name, Text) ->
    Source = lists:flatten(["-module(", atom_to_list(Name), "). -compile(export_all). " | Text]),
    {ok, Tokens, _} = erl_scan:string(lists:flatten(string:replace(Source, "?MODULE", atom_to_list(Name), all))),
    {ok, Name, Binary} = compile:forms(forms(Tokens, []), []),
    Binary.

forms([], []) -> [];
forms([{dot, _} = Dot | Rest], Form) ->
    {ok, Parsed} = erl_parse:parse_form(lists:reverse([Dot | Form])),
    [Parsed | forms(Rest, [])];
forms([Token | Rest], Form) -> forms(Rest, [Token | Form]).

load(Name, Text) ->
    {module, Name} = code:load_binary(Name, "jit", compile(Name, Text)),
    Name.

forget(Name) ->
    code:purge(Name),
    code:delete(Name),
    code:purge(Name),
    ok.

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
    load(jit_v1, version(1)),
    {Pid, _} = running(jit_v1),
    Before = ask(Pid),
    load(jit_v1, version(2)),
    After = ask(Pid),
    Old = check_process_code(Pid, jit_v1),
    New = jit_v1:version(),
    exit(Pid, kill),
    {Before, After, Old, New, forget(jit_v1)}.

purge_kills() ->
    load(jit_v2, version(1)),
    {Pid, Monitor} = running(jit_v2),
    load(jit_v2, version(2)),
    Purged = code:purge(jit_v2),
    Result = receive {'DOWN', Monitor, process, Pid, Reason} -> Reason after 5000 -> alive end,
    {Purged, Result, jit_v2:version(), jit_v2:work(?HOT, 0), forget(jit_v2)}.

soft_purge() ->
    load(jit_v3, version(1)),
    {Pid, Monitor} = running(jit_v3),
    load(jit_v3, version(2)),
    First = code:soft_purge(jit_v3),
    Pid ! {upgrade, self()},
    receive done -> ok end,
    Now = ask(Pid),
    Second = code:soft_purge(jit_v3),
    exit(Pid, stop),
    Reason = receive {'DOWN', Monitor, process, Pid, R} -> R end,
    {First, Now, Second, Reason, forget(jit_v3)}.

many_versions() ->
    Results = [begin
        load(jit_v4, version(I)),
        {jit_v4:version(), jit_v4:work(300, 0), code:purge(jit_v4), hot_calls(jit_v4, 40)}
     end || I <- lists:seq(1, 25)],
    {Results, forget(jit_v4)}.

hot_calls(_, 0) -> ok;
hot_calls(Module, N) -> 2 = N - N + byte_size(<<(Module:version()):16>>), hot_calls(Module, N - 1).

old_fun() ->
    load(jit_v5, version(1)),
    F = jit_v5:make(),
    Before = lists:usort([F(1) || _ <- lists:seq(1, ?HOT)]),
    load(jit_v5, version(2)),
    Between = F(1),
    code:purge(jit_v5),
    G = jit_v5:make(),
    After = lists:usort([G(1) || _ <- lists:seq(1, ?HOT)]),
    {Before, Between, After, forget(jit_v5)}.

hot_upgrade() ->
    load(jit_v6, version(1)),
    {Pid, _} = running(jit_v6),
    Answers = [begin
        load(jit_v6, version(I)),
        Pid ! {upgrade, self()},
        receive done -> ok end,
        Answer = ask(Pid),
        {code:soft_purge(jit_v6), Answer}
     end || I <- lists:seq(2, 12)],
    exit(Pid, kill),
    {Answers, forget(jit_v6)}.

deleted() ->
    load(jit_v7, version(1)),
    Before = jit_v7:work(?HOT, 0),
    forget(jit_v7),
    {Before, catch jit_v7:work(1, 0), code:is_loaded(jit_v7)}.

%% ------------------------------------------------------------------------------------------------ exceptions

failures() ->
    [{badarith, fun(X) -> bad_arith(X) end}, {badarith_increment, fun(X) -> increment(X) end}, {badmatch, fun(X) -> bad_match(X) end},
     {case_clause, fun(X) -> bad_case(X) end}, {if_clause, fun(X) -> bad_if(X) end}, {function_clause, fun(X) -> bad_function(X, 2) end},
     {try_clause, fun(X) -> bad_try(X) end}, {badkey, fun(X) -> bad_key(X) end}, {badmap, fun(X) -> bad_map(X) end},
     {hd, fun(X) -> bad_hd(X) end}, {element, fun(X) -> bad_element(X) end}, {badfun, fun(X) -> bad_fun(X) end},
     {undef, fun(X) -> bad_call(X) end}, {bif, fun(X) -> bad_bif(X) end}, {binary, fun(X) -> bad_binary(X) end},
     {record, fun(X) -> bad_record(X) end}, {throw, fun(X) -> throws(X) end}, {float, fun(X) -> bad_float(X) end}].

%% Calls F with an argument that works until it is hot, then with one that does not.
failing(F) ->
    heat(F, ?HOT),
    [outcome(F, X) || X <- [bad, 0, 1.5, 1 bsl 70]].

heat(_, 0) -> ok;
heat(F, N) -> _ = F(N), heat(F, N - 1).

outcome(F, X) ->
    try {ok, F(X)}
    catch Class:Reason:Stack ->
        {Class, Reason, lists:takewhile(fun({_, Name, _, _}) -> Name =/= outcome end, Stack)}
    end.

bad_arith(X) ->
    Y = X * 2,
    {Y, X div Y}.
increment(X) ->
    X + 1.
bad_match(X) ->
    Y = abs(X),
    X = Y rem 100000 + (Y - Y rem 100000),
    {integer, X} = {kind(X), X}.
kind(X) when is_integer(X), X > 0 -> integer;
kind(_) -> other.
bad_case(X) ->
    case kind(X) of
        integer -> X
    end.
bad_if(X) ->
    if
        is_integer(X), X > 0, X < 100000 -> X
    end.
bad_function(X, Y) when is_integer(X), X > 0, Y > 1 -> X + Y.
bad_try(X) ->
    try kind(X) of
        integer -> X
    catch
        exit:_ -> no
    end.
bad_key(X) ->
    M = #{kind(X) => X},
    M#{integer := X}.
bad_map(X) ->
    M = if is_integer(X), X > 0 -> #{}; true -> X end,
    M#{a => 1}.
bad_hd(X) ->
    L = if is_integer(X), X > 0 -> [X]; true -> X end,
    hd(L).
bad_element(X) ->
    T = {1, 2, 3},
    element(if is_integer(X), X > 0, X < 100000 -> 1 + X rem 3; true -> X end, T).
bad_fun(X) ->
    F = if is_integer(X), X > 0 -> fun(Y) -> {X, Y} end; true -> X end,
    {F(1), X}.
bad_call(X) ->
    {if is_integer(X), X > 0, X < 100000 -> kind(X); true -> jit_nosuch:f(X) end, 1}.
bad_bif(X) ->
    [integer_to_list(X), atom_to_list(if is_integer(X), X > 0, X < 100000 -> a; true -> X end)].
bad_binary(X) ->
    B = <<X:16, 1>>,
    Size = if X > 0 -> 8; true -> 16 end,
    <<Y:16, Z:Size>> = B,
    {Y, Z}.
-record(r, {a, b = 2}).
bad_record(X) ->
    R = if is_integer(X), X > 0 -> #r{a = X}; true -> {r, X} end,
    R#r.b.
throws(X) ->
    if is_integer(X), X > 0, X < 100000 -> X; true -> throw({ball, X}) end.
bad_float(X) ->
    Y = X * 1.5,
    Z = Y / (X - 1.5),
    Z * 1.0e303 / 2.

deep_failure(N) ->
    [down(N, I) || I <- lists:seq(1, ?HOT div 4)],
    outcome(fun(X) -> down(N, X) end, bad).

down(0, X) -> _ = X + 1, ok;
down(N, X) ->
    {down, down(N - 1, X)}.

%% ------------------------------------------------------------------------------------------------ recursion and catch

deep() -> {len(lists:seq(1, 300000)), sum_up(300000)}.
len([]) -> 0;
len([_ | T]) -> 1 + len(T).
sum_up(0) -> 0;
sum_up(N) -> N + sum_up(N - 1).

deep_data() ->
    Tree = tree(16),
    {count(Tree), erlang:phash2(Tree)}.
tree(0) -> leaf;
tree(N) -> {tree(N - 1), N, tree(N - 1)}.
count(leaf) -> 1;
count({L, _, R}) -> count(L) + count(R).

catches() -> catch_loop(?HOT, 0).
catch_loop(0, A) -> A;
catch_loop(N, A) ->
    B = case catch risky(N) of
        {'EXIT', {badarith, [{erlang, '+', _, _} | _]}} -> 1;
        {'EXIT', {Reason, _}} -> 3 + erlang:phash2(Reason) rem 2;
        {'EXIT', Reason} -> Reason;
        X -> X
    end,
    catch_loop(N - 1, A + B).

risky(N) ->
    case N rem 5 of
        0 -> N;
        1 -> throw(7);
        2 -> exit(11);
        3 -> error(bad);
        4 -> N + list_to_atom("a")
    end.

tries() -> try_loop(?HOT, []).
try_loop(0, A) -> {length(A), lists:usort(A)};
try_loop(N, A) ->
    B = try risky(N) of
        X when X > 2000 -> large;
        _ -> small
    catch
        throw:X -> {t, X};
        exit:X -> {x, X};
        error:X:S -> {e, X, [{F, Ar, proplists:get_value(line, L)} || {?MODULE, F, Ar, L} <- S, F =/= '-tests/0-fun-0-'], length(S) > 2}
    end,
    try_loop(N - 1, [B | A]).

afters() ->
    put(count, 0),
    R = [catch after_one(I) || I <- lists:seq(1, ?HOT)],
    {get(count), erlang:phash2([case X of {'EXIT', {Reason, _}} -> Reason; _ -> X end || X <- R])}.
after_one(I) ->
    try risky(I)
    after put(count, get(count) + 1)
    end.

raise_again() -> lists:usort([outcome_names(fun() -> again(I) end) || I <- lists:seq(1, ?HOT div 3)]).
outcome_names(F) ->
    try F(), ok
    catch C:R:S -> {C, R, [{Fn, A} || {?MODULE, Fn, A, _} <- S, Fn =:= again orelse Fn =:= risky]}
    end.
again(I) ->
    try risky(I rem 5), ok
    catch C:R:S -> erlang:raise(C, {again, R}, S)
    end.

nested_catch() -> [(catch nest(I, 4)) || I <- lists:seq(1, 300), I rem 60 < 6].
nest(I, 0) -> risky(I);
nest(I, N) ->
    case (catch nest(I, N - 1)) of
        {'EXIT', {R, _}} -> {caught, N, R};
        X when N rem 2 =:= 0 -> throw({N, X});
        X -> {N, X}
    end.

%% An exception of the last instruction before a catch ends continues where its success would.
catch_last() ->
    lists:usort([{catch_element(I rem 7, self()), catch_sum(I rem 3, a), catch_float(I rem 2)} || I <- lists:seq(1, ?HOT div 3)]).
catch_element(I, Pid) ->
    A = I + 1,
    R = case (catch element(A, {a, b, c, "d"})) of
        {'EXIT', {badarg, [{erlang, element, [A, _], _} | _]}} -> bad;
        X -> X
    end,
    {R, is_pid(Pid)}.
catch_sum(I, B) ->
    A = if I > 1 -> B; true -> I end,
    S = (catch A + 1),
    case S of
        {'EXIT', {badarith, _}} -> {bad, I};
        _ -> {S, I}
    end.
catch_float(I) when is_integer(I) ->
    X = I * 1.0e308,
    Y = (catch X * 10.0),
    case Y of
        {'EXIT', {R, _}} -> R;
        _ -> Y
    end.

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

%% ------------------------------------------------------------------------------------------------ numbers

harmonic() -> [<<(sum_floats(N, 0.0)):64/float>> || N <- [1, 10, 1000, 30000]].
sum_floats(0, A) -> A;
sum_floats(N, A) -> sum_floats(N - 1, A + 1 / N - 1 / (N * 2.0 + 1)).

logistic() -> [<<(iterate(10000, R, 0.37)):64/float>> || R <- [3.1, 3.57, 3.9, 4]].
iterate(0, _, X) -> X;
iterate(N, R, X) -> iterate(N - 1, R, R * X * (1 - X)).

planets() ->
    {{X, Y}, {U, V}, E} = orbit(5000, {1.0, 0.0}, {0.0, 0.9}, 0),
    {<<X/float, Y/float, U/float, V/float>>, E}.
orbit(0, P, V, E) -> {P, V, E};
orbit(N, {X, Y}, {U, V}, E) ->
    R = math:sqrt(X * X + Y * Y),
    F = -1.0e-3 / (R * R * R),
    U1 = U + F * X,
    V1 = V + F * Y,
    orbit(N - 1, {X + U1 * 1.0e-3, Y + V1 * 1.0e-3}, {U1, V1}, if R > 1.0 -> E + 1; R == 1 -> E; true -> E - 1 end).

float_edges() ->
    Values = [0.0, -0.0, 1.0, -1.0, 4.9e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1.0e16, 9007199254740993.0],
    [erlang:phash2([<<(op(O, A, B)):64/float>> || A <- Values, B <- Values, safe(O, A, B)]) || O <- ['+', '-', '*', '/'], _ <- [1, 2, 3]].
safe(O, A, B) -> try _ = op(O, A, B), true catch error:badarith -> false end.
op('+', A, B) -> A + B + 0.0;
op('-', A, B) -> A - B - 0.0;
op('*', A, B) -> A * B * 1.0;
op('/', A, B) -> A / B / 1.0.

float_errors() ->
    heat(fun(X) -> op('*', X * 1.0, 2.0) end, ?HOT),
    [outcome(fun(X) -> op('*', X, 1.0e308) end, 1.0e10), outcome(fun(X) -> op('/', X, 0) end, 1.0), outcome(fun(X) -> op('/', X, -0.0) end, 0),
     outcome(fun(X) -> op('+', X, 1.0) end, a), outcome(fun(X) -> op('-', X, 1) end, 1 bsl 2000)].

integers_grow() -> {fact(60, 1), power(3, 500, 1) rem 1000000007, fib(200, 0, 1), halves(1 bsl 200, 0)}.
fact(0, A) -> A;
fact(N, A) -> fact(N - 1, A * N).
power(_, 0, A) -> A;
power(B, N, A) -> power(B, N - 1, A * B).
fib(0, A, _) -> A;
fib(N, A, B) -> fib(N - 1, B, A + B).
halves(0, N) -> N;
halves(X, N) -> halves(X bsr 1, N + X band 1 + 1).

small_edges() ->
    heat(fun(X) -> arith(X, 3) end, ?HOT),
    Values = [(1 bsl 59) - 1, 1 bsl 59, -(1 bsl 59), -(1 bsl 59) - 1, 1, -1, 0, 7, (1 bsl 64) + 3, -(1 bsl 64), 1 bsl 31],
    [arith(A, B) || A <- Values, B <- Values].
arith(A, B) ->
    {A + B, A - B, A * B, if B =/= 0 -> {A div B, A rem B}; true -> none end, A band B, A bor B, A bxor B, bnot A, A bsr 3, A bsl 4,
     A < B, A =< B, A =:= B, A == B, -A, abs(A), if B >= 0, B < 80 -> A bsl B; true -> A bsr (B band 63) end}.

change_of_types() ->
    Args = [1, 2, 1.5, a, [], 1 bsl 65, {1}, #{}, <<>>, 3],
    heat(fun(X) -> sort_of(X, X) end, ?HOT),
    [try sort_of(A, B) catch error:R -> R end || A <- Args, B <- Args].
sort_of(A, B) when A > 0, is_number(A) -> A + B;
sort_of(A, B) when is_list(A); is_atom(B) -> {A, B};
sort_of(A, B) when A == B -> same;
sort_of(A, B) -> A * B.

compare_mixed() ->
    Values = [1, 1.0, 0, -0.0, 0.0, (1 bsl 53) + 1, 9007199254740992.0, 9007199254740993, 1 bsl 70, 1.0e21, a, b, [], [1], [1.0], {}, {1}, {1.0}, #{}, #{1 => 1}, #{1.0 => 1}, <<>>, <<1>>, <<1:1>>],
    heat(fun(X) -> orders(X, 5) end, ?HOT),
    erlang:phash2([orders(A, B) || A <- Values, B <- Values]).
orders(A, B) -> {A < B, A =< B, A > B, A >= B, A == B, A /= B, A =:= B, A =/= B, max(A, B), min(A, B)}.

%% ------------------------------------------------------------------------------------------------ shapes of code

%% A function f/1 with the clauses, run on many values on two rounds.
selection(Name, Clauses, Values) ->
    load(Name, [lists:join("; ", Clauses), ". run(0, _, A) -> A; run(N, L, _) -> run(N - 1, L, [f(X) || X <- L]). "]),
    Result = Name:run(20, Values, []),
    forget(Name),
    {length(Result), erlang:phash2(Result)}.

f(I, V) -> io_lib:format("f(~0p) -> {~0p, x}", [I, V]).
default() -> ["f(_) -> none"].

select_dense() -> selection(jit_s1, [f(I, I * I) || I <- lists:seq(0, 300)] ++ default(), lists:seq(-10, 320) ++ [a, 1.0, 1 bsl 64]).
select_sparse() -> selection(jit_s2, [f(I * I * 7919, I) || I <- lists:seq(-60, 60), I =/= 0, I > 0 orelse I rem 2 =:= 0] ++ default(), [I * 7919 || I <- lists:seq(-3700, 3700, 11)] ++ [7919, 31676]).
select_atoms() -> selection(jit_s3, [io_lib:format("f(atom~w) -> ~w", [I, I]) || I <- lists:seq(1, 200)] ++ default(), [list_to_atom("atom" ++ integer_to_list(I)) || I <- lists:seq(0, 210)] ++ [1, []]).
select_arity() -> selection(jit_s4, [["f({", lists:join(", ", lists:duplicate(I, "_")), "}) -> ", integer_to_list(I)] || I <- lists:seq(0, 60, 2)] ++ default(), [list_to_tuple(lists:seq(1, I)) || I <- lists:seq(0, 65)] ++ [a, [], #{}]).
select_terms() -> selection(jit_s5, [f(T, erlang:phash2(T)) || T <- terms()] ++ default(), terms() ++ [1 bsl 100 + 1, 1.25, <<"nope">>, -0.0]).
%% A choice between integers of any size whose target is the code that follows, with other registers live.
select_next() -> erlang:phash2([after_select(A, F, I) || I <- lists:seq(1, 200), A <- [1, 7, 1 bsl 59, 1 bsl 100, 5], F <- [fun lists:reverse/1, fun(X) -> {X, I} end, I]]).
after_select(A, F, I) ->
    case case A of 1 -> true; 7 -> true; 576460752303423487 -> true; 576460752303423488 -> A; 1267650600228229401496703205376 -> true; _ -> false end of
        true when not is_function(F, 1) -> {a, I};
        false -> {b, I};
        _ -> {c, I, is_function(F)}
    end.
terms() -> [1 bsl 60, 1 bsl 100, -(1 bsl 77), 1.5, 2.0, <<"a">>, <<"bc">>, "string", {a, 1}, {a, 2}, [], 3, b, #{}].

clauses() ->
    Clauses = [io_lib:format("f({k~w, X}) when X > ~w -> X - ~w", [I rem 40, I, I]) || I <- lists:seq(1, 400)],
    selection(jit_s6, Clauses ++ default(), [{list_to_atom("k" ++ integer_to_list(I rem 40)), I * 3 rem 500} || I <- lists:seq(1, 500)]).

%% Hot with forty arguments. With 255 only a few calls: compiling takes long.
arguments() -> [arguments(40, 300), arguments(255, 5)].
arguments(Count, Calls) ->
    Names = ["A" ++ integer_to_list(I) || I <- lists:seq(1, Count)],
    Args = lists:join(", ", Names),
    load(jit_s7, [
        "f(", Args, ") -> ", lists:join(" + ", Names), ". ",
        "g(", Args, ") -> f(", lists:join(", ", lists:reverse(Names)), "). ",
        "l(0, ", lists:join(", ", tl(Names)), ") -> {", lists:join(", ", tl(Names)), "}; l(A1, ", lists:join(", ", tl(Names)), ") -> l(A1 - 1, ",
        lists:join(", ", tl(tl(Names)) ++ ["A2"]), "). "]),
    L = lists:seq(1, Count),
    R = [apply(jit_s7, f, L) || _ <- lists:seq(1, Calls)] ++ [apply(jit_s7, g, L) || _ <- lists:seq(1, Calls)],
    T = apply(jit_s7, l, [Calls * 10 | tl(L)]),
    E = try apply(jit_s7, g, [x | tl(L)]) catch error:Reason:S -> {Reason, [{F, if is_list(A) -> length(A); true -> A end} || {_, F, A, _} <- S, F =:= f orelse F =:= '+']} end,
    forget(jit_s7),
    {lists:usort(R), erlang:phash2(T), E}.

%% Thousands of instructions in one function.
huge() ->
    Lines = [io_lib:format("X~w = (X~w * ~w + A) rem 100003, ", [I, I - 1, I rem 13 + 2]) || I <- lists:seq(1, 500)],
    Calls = [io_lib:format("Y~w = g(X~w, Y~w), ", [I, I * 7, I - 1]) || I <- lists:seq(1, 70)],
    load(jit_s8, ["f(A) -> X0 = A, ", Lines, "Y0 = [], ", Calls, "{X500, Y70}. g(X, [H | _]) when X rem 3 =:= 0 -> [X, H]; g(X, Y) -> [X | Y]. "]),
    R = [jit_s8:f(I) || I <- lists:seq(1, 40)],
    E = (catch jit_s8:f(1.0)),
    forget(jit_s8),
    {erlang:phash2(R), element(1, element(2, E))}.

%% Many values live over calls.
many_registers() ->
    N = 300,
    Bind = [io_lib:format("V~w = g(A + ~w), ", [I, I]) || I <- lists:seq(1, N)],
    Use = lists:join(", ", [io_lib:format("V~w", [I]) || I <- lists:seq(N, 1, -1)]),
    load(jit_s9, ["f(A) -> ", Bind, "g(A), {", Use, "}. g(X) -> {X}. "]),
    R = [jit_s9:f(I) || I <- lists:seq(1, 60)],
    forget(jit_s9),
    erlang:phash2(R).

target() -> [].
target(A) -> [A].
target(A, B) -> [A, B].
target(A, B, C) -> [A, B, C].

apply_arities() ->
    Functions = [["f(", lists:join(", ", args(N)), ") -> [", lists:join(", ", args(N)), "]. ",
        "a", integer_to_list(N), "(M, F", [[", ", A] || A <- args(N)], ") -> {M:F(", lists:join(", ", args(N)), ")}. ",
        "b", integer_to_list(N), "(M, F", [[", ", A] || A <- args(N)], ") -> M:F(", lists:join(", ", args(N)), "). "] || N <- lists:seq(0, 20) ++ [100, 253]],
    load(jit_a1, Functions),
    R = [begin
        L = lists:seq(1, N),
        [[apply(jit_a1, f, L), apply(jit_a1, list_to_atom("a" ++ integer_to_list(N)), [jit_a1, f | L]), apply(jit_a1, list_to_atom("b" ++ integer_to_list(N)), [jit_a1, f | L])]
         || _ <- lists:seq(1, 30)]
     end || N <- lists:seq(0, 20) ++ [100, 253]],
    Hot = [apply(?MODULE, target, lists:sublist([a, b, c], I rem 4)) || I <- lists:seq(1, ?HOT)],
    forget(jit_a1),
    {erlang:phash2(R), erlang:phash2(Hot)}.

args(N) -> ["A" ++ integer_to_list(I) || I <- lists:seq(1, N)].

fun_arities() ->
    Functions = [["m", integer_to_list(N), "(X) -> fun(", lists:join(", ", args(N)), ") -> {X, ", lists:join(" + ", ["0" | args(N)]), "} end. ",
        "c", integer_to_list(N), "(F", [[", ", A] || A <- args(N)], ") -> {F(", lists:join(", ", args(N)), ")}. "] || N <- lists:seq(0, 20) ++ [200]],
    load(jit_a2, Functions),
    R = [begin
        L = lists:seq(1, N),
        F = jit_a2:(list_to_atom("m" ++ integer_to_list(N)))(x),
        [{apply(F, L), apply(jit_a2, list_to_atom("c" ++ integer_to_list(N)), [F | L])} || _ <- lists:seq(1, 30)]
     end || N <- lists:seq(0, 20) ++ [200]],
    Bad = [try apply(jit_a2, c2, [F, 1, 2]) catch error:Reason:S -> {element(1, Reason), [{Fn, A} || {jit_a2, Fn, A, _} <- S]} end
        || F <- [jit_a2:m1(1), jit_a2:m3(1), fun lists:nosuch/1, a, fun erlang:length/1]],
    forget(jit_a2),
    {erlang:phash2(R), Bad}.

closures() ->
    Funs = [fun(X) -> X + I end || I <- lists:seq(1, 5)] ++ [fun erlang:abs/1, fun ?MODULE:target/1, fun(X) -> [X, Funs0] = [X, none], {X, Funs0} end],
    Results = [[F(N) || F <- Funs] || N <- lists:seq(1, ?HOT div 4)],
    {erlang:phash2(Results), lists:last(Results)}.

%% Calls of funs at the end of a function take no stack.
fun_tail_calls() ->
    F = fun(0, _) -> process_info(self(), stack_size); (N, G) -> G(N - 1, G) end,
    {stack_size, S} = F(200000, F),
    {stack_size, T} = fun_loop(200000, fun fun_loop/2),
    {S < 1000, T < 1000}.
fun_loop(0, _) -> process_info(self(), stack_size);
fun_loop(N, F) -> F(N - 1, F).

mutual() -> {even(100001, 0), three(30000, 0, a)}.
even(0, A) -> {even, A};
even(N, A) -> odd(N - 1, A + 1).
odd(0, A) -> {odd, A};
odd(N, A) when A rem 2 =:= 1 -> even(N - 1, A + 2);
odd(N, A) -> even(N - 1, A).
three(0, A, S) -> {A, S};
three(N, A, a) -> two(N - 1, A, b);
three(N, A, c) -> two(N - 1, A + 1, d).
two(N, A, b) -> three(N, A + 3, c);
two(N, A, d) when N rem 2 =:= 0 -> three(N, A, a);
two(N, A, d) -> three(N, A - 1, c).

maps_hot() ->
    M = map_loop(?HOT, #{count => 0, last => none, sum => 0.0}),
    Big = lists:foldl(fun(I, A) -> A#{I => I * I, {I} => I} end, #{}, lists:seq(1, 100)),
    {M, map_size(Big), [look(K, Big) || K <- [1, 100, 101, {7}, {101}, a]], [look(K, #{a => 1, {7} => 2}) || K <- [a, {7}, b]]}.
map_loop(0, M) -> M;
map_loop(N, #{count := C, sum := S} = M) -> map_loop(N - 1, M#{count := C + 1, last => N, sum := S + N / 3}).
look(K, M) -> case M of #{K := V} -> {ok, V}; #{a := V} -> {a, V}; _ -> none end.

-record(state, {n = 0, list = [], tuple = {}, f = 0.0}).
records() ->
    S = #state{n = N, list = L} = record_loop(?HOT, #state{}),
    {N, length(L), S#state.tuple, S#state.f}.
record_loop(0, S) -> S;
record_loop(N, #state{n = M, list = L} = S) when N rem 3 =:= 0 -> record_loop(N - 1, S#state{n = M + N, list = [N | L]});
record_loop(N, #state{f = F} = S) -> record_loop(N - 1, S#state{f = F + N * 0.5, tuple = {N, S#state.n}}).

binaries() ->
    B = << <<I:8>> || I <- lists:seq(0, 255), _ <- lists:seq(1, 20) >>,
    {bytes(B, 0), words(B, 0), bits(B, 0), strings(<<"key=value;other=thing;x=;=y">>), text(unicode:characters_to_binary("aåλ€😀" ++ lists:seq(500, 900)), 0),
     [catch bytes(X, 0) || X <- [<<1:3>>, a, <<2, 1:1>>]]}.
bytes(<<X, R/binary>>, A) -> bytes(R, A * 31 + X band 16#FFFFFF);
bytes(<<>>, A) -> A rem 1000003.
words(<<X:16/little, Y:32, Z:24/signed, R/binary>>, A) -> words(R, (A + X * 3 + Y bxor Z) rem 1000003);
words(<<R/binary>>, A) -> {byte_size(R), A}.
bits(<<X:3, Y:7/signed, R/bits>>, A) -> bits(R, (A + X * Y) rem 10007);
bits(R, A) -> {bit_size(R), A}.
strings(B) -> strings(B, <<>>, []).
strings(<<$;, R/binary>>, W, A) -> strings(R, <<>>, [W | A]);
strings(<<$=, R/binary>>, W, A) -> strings(R, <<W/binary, "->">>, A);
strings(<<C, R/binary>>, W, A) -> strings(R, <<W/binary, C>>, A);
strings(<<>>, W, A) -> lists:reverse([W | A]).
text(<<C/utf8, R/binary>>, A) -> text(R, A + C);
text(<<>>, A) -> A.

building() ->
    {erlang:phash2([build(I, I * 0.25, <<I>>) || I <- lists:seq(0, 255)]), erlang:phash2(append(?HOT, <<>>)),
     [catch build(X, Y, Z) || {X, Y, Z} <- [{a, 1.0, <<>>}, {1, a, <<>>}, {1, 1.0, a}, {1 bsl 80, 1, <<1:3>>}, {1, 1 bsl 2000, <<>>}]]}.
build(I, F, B) -> <<I:7, I:16/little, F/float, F:32/float, B/binary, "x", (I band 127)/utf8, I:40>>.
append(0, B) -> B;
append(N, B) -> append(N - 1, <<B/bits, N:11>>).

dictionary() ->
    [put({k, I rem 17}, case get({k, I rem 17}) of undefined -> [I]; L when length(L) > 5 -> [I]; L -> [I | L] end) || I <- lists:seq(1, ?HOT)],
    [erase({k, I}) || I <- lists:seq(0, 16)].

comprehensions() ->
    erlang:phash2([{[X * Y || X <- lists:seq(1, N rem 9), Y <- [1, 2, 3], X =/= Y], << <<X:4>> || X <- lists:seq(1, N rem 16), X rem 2 =:= 1 >>,
        [X || <<X:3>> <= <<N:24>>], [A || {ok, A} <- [{ok, N}, error, {ok, a}]]} || N <- lists:seq(1, 500)]).

%% ------------------------------------------------------------------------------------------------ found by random programs

empty_field() ->
    warm(fun no_bits/1),
    [outcome(fun no_bits/1, X) || X <- [5, a, 1.0, 1 bsl 70, <<>>]].
%% Gives the compile thread time.
warm(F) -> heat(F, ?HOT), receive after 300 -> heat(F, ?HOT) end.
no_bits(X) -> <<8, X:0>>.

%% The sign of zero.
minus_zero() ->
    warm(fun less_zero/1),
    warm(fun(_) -> divided(3, 0) end),
    [<<(F(X)):64/float>> || F <- [fun less_zero/1, fun less_float/1], X <- [-0.0, 0.0, 1.5]] ++ [less_zero(7), sign(-0.0), sign(0.0), [<<(divided(N, 0)):64/float>> || N <- [0, 1, 5]]].
divided(0, X) -> X / -2.5;
divided(N, X) -> divided(N - 1, X) - 0.
less_zero(X) -> X - 0.
less_float(X) when is_float(X) -> X - 0.
sign(X) when X - 0 =:= -0.0 -> minus;
sign(_) -> plus.

map_keys() ->
    Maps = [#{a => {b}, 17 => [c], 1.0 => d}, #{a => 1, 17 => 2}, #{a => 1, 17 => 2, 1 => 3}, #{}, maps:from_list([{I, I} || I <- [a, 1.0 | lists:seq(1, 40)]])],
    [lists:usort([F(M) || _ <- lists:seq(1, ?HOT div 5)]) || F <- [fun three_keys/1, fun four_keys/1, fun two_keys/1], M <- Maps].
%% The first value takes the register of the map.
three_keys(#{a := A, 17 := B, 1.0 := C}) -> {A, B, C};
three_keys(_) -> none.
four_keys(#{a := A, 17 := B, 1.0 := C, 2 := D}) -> {D, C, A, B};
four_keys(_) -> none.
two_keys(#{a := A, 1.0 := {B}}) -> [A | B];
two_keys(#{a := A, 1.0 := C}) -> [C | A];
two_keys(_) -> none.

%% Becomes hot while calls of it lead to a breakpoint.
traced() ->
    1 = erlang:trace_pattern({?MODULE, counted, 2}, true, [call_count]),
    Sum = counted(20000, 0),
    {call_count, Count} = erlang:trace_info({?MODULE, counted, 2}, call_count),
    1 = erlang:trace_pattern({?MODULE, counted, 2}, false, [call_count]),
    {Sum, Count, counted(20000, 0)}.
counted(0, A) -> A;
counted(N, A) -> counted(N - 1, A + N).
