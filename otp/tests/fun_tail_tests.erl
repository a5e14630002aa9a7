%% fun_tail_tests: a call of a fun in tail position gives up its frame: such loops run in constant space, and stack traces
%% show what is left of the stack.
-module(fun_tail_tests).
-export([tests/0]).

tests() ->
    [{deep_local, fun() -> deep(fun deep_local/1) end},
     {deep_external, fun() -> put(next, fun lists:reverse/1), outer([1, 2]) end},
     {deep_typed, fun() -> typed(fun(N) -> N end, 100000) end},
     {bad_fun, fun() -> frame(x, not_a_fun) end},
     {bad_arity, fun() -> frame(x, fun() -> ok end) end},
     {undefined, fun() -> frame(x, fun no_such_module:f/1) end},
     {error_below, fun() -> frame(x, fun(Y) -> id(Y), error({seen, Y}) end) end},
     {from_y, fun() -> from_y(fun(A, B) -> error({A, B}) end, 1) end},
     {free_variables, fun() -> X = id(7), frame(1, fun(Y) -> element(X, {Y}) end) end},
     {in_catch, fun() -> caught(fun(Y) -> throw({ball, Y}) end) end},
     {in_try, fun() -> tried(fun(Y) -> Y end) end}].

id(X) -> X.

deep(F) -> put(f, F), deep_local(300000).

deep_local(0) -> {stack_size, Size} = process_info(self(), stack_size), Size < 100;
deep_local(N) ->
    F = get(f),
    M = id(N),
    F(M - 1).

outer(L) ->
    F = get(next),
    K = id(L),
    F(K).

typed(F, 0) -> id(F), F(done);
typed(F, N) when is_function(F, 1) ->
    G = fun(M) -> typed(F, M) end,
    M = id(N),
    G(M - 1).

frame(X, F) ->
    Y = id(X),
    F(Y).

from_y(F, A) ->
    B = id(A),
    C = id(B),
    F(B, C).

caught(F) ->
    X = catch frame(a, F),
    {caught, X}.

tried(F) ->
    try frame(a, F) of V -> F(V) catch throw:_ -> no end.
