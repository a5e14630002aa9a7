%% Exceptions of hot code, their stack traces, catch and try, deep recursion.
-module(jit_exception_tests).
-export([tests/0]).

-define(HOT, 3000).

tests() ->
    [{{trace, Name}, fun() -> failing(F) end} || {Name, F} <- failures()]
    ++ [{{trace_deep, N}, fun() -> deep_failure(N) end} || N <- [1, 3, 7, 8, 20]]
    ++ [{deep, fun deep/0}, {deep_data, fun deep_data/0}, {catches, fun catches/0}, {tries, fun tries/0}, {afters, fun afters/0},
        {raise_again, fun raise_again/0}, {nested_catch, fun nested_catch/0}, {catch_last, fun catch_last/0}].

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
    hot:heat(F, ?HOT),
    [hot:outcome(F, X) || X <- [bad, 0, 1.5, 1 bsl 70]].

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
    hot:outcome(fun(X) -> down(N, X) end, bad).

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
