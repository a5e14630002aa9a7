%% Calls, exceptions, stack traces, receive.
-module(control_tests).
-export([tests/0, f/1, g/2, nested/1]).

tests() ->
    [{badmatch, fun() -> {a, _} = id({b, 1}) end},
     {case_clause, fun() -> case id(7) of 8 -> ok end end},
     {if_clause, fun() -> X = id(1), if X > 2 -> ok end end},
     {function_clause, fun() -> f(id(foo)) end},
     {try_clause, fun() -> try id(3) of 4 -> ok after ok end end},
     {badarith, fun() -> id(a) + 1 end},
     {badarith_div, fun() -> id(1) div id(0) end},
     {badarith_float, fun() -> id(1.0) / id(0) end},
     {badfun, fun() -> F = id(no_fun), F(1) end},
     {badarity, fun() -> F = fun(X) -> X end, G = id(F), catch erlang:apply(G, [1, 2]), G(1, 2) end},
     {fun_errors, fun() -> [failing_call(K, F) || K <- [call, checked, last, apply, apply_last, kept], F <- [fun(X, Y) -> {X, Y} end, x, fun lists:nope/2]] end},
     {apply_many, fun() -> [{N, Tail, many(fun(L) -> apply_many(Kind, L) end, lists:duplicate(N, a) ++ Tail)} || Kind <- [function, last, applied, applied_last], N <- [2, 3, 255, 256, 259, 300, 771, 1022, 1023, 1024, 1500], Tail <- [[], b]] end},
     {increment_constants, fun() -> [names(fun() -> F(id(a)) end) || F <- [fun(X) -> {X + 1} end, fun(X) -> {1 + X} end, fun(X) -> {X - 1} end, fun(X) -> {X - -2} end, fun(X) -> {X - 0} end, fun(X) -> {1 - X} end, fun(X) -> {X + -3} end, fun(_) -> {[] + 10230} end, fun(_) -> {a - 2} end, fun(X) -> {X + 1.0} end, fun(X) -> {X + (1 bsl 70)} end, fun(X) -> {-X} end]] end},
     {negative_zero, fun() -> [{<<(negated(A * 1.0)):64/float>>, <<(-id(A)):64/float>>} || A <- [0.0, -0.0, 1.5]] end},
     {dropped_line, fun() -> dropped_line(id(b), id(4)) end},
     {moves_before_line, fun() -> [moves_before_line(id(K)) || K <- [a, {}]] ++ [caught(fun() -> moves_before_line(id(<<1>>)) end)] end},
     {kept_line, fun() -> [catch kept_line(id(K), id(4)) || K <- [a, b]] end},
     {undef_module, fun() -> no_such_module:f(1, 2) end},
     {undef_function, fun() -> lists:no_such(1) end},
     {apply_undef, fun() -> M = id(lists), F = id(nope), M:F(x) end},
     {throw, fun() -> throw({thrown, 1}) end},
     {exit, fun() -> exit({leaving, 1}) end},
     {error1, fun() -> error(some_reason) end},
     {error2, fun() -> error(some_reason, [a, b]) end},
     {error3, fun() -> error(some_reason, [a, b], [{error_info, #{module => ?MODULE}}]) end},
     {catch_throw, fun() -> catch throw(x) end},
     {catch_exit, fun() -> catch exit(x) end},
     {catch_error, fun() -> {'EXIT', {R, S}} = (catch error(x)), {R, hd(S)} end},
     {nested, fun() -> nested(5) end},
     {reraise, fun() -> try error(a) catch C:R:S -> erlang:raise(C, {again, R}, S) end end},
     {raise_bad, fun() -> erlang:raise(foo, bar, []) end},
     {after_runs, fun() -> put(k, 0), catch (try error(x) after put(k, 1) end), get(k) end},
     {try_of, fun() -> try id(5) of 5 -> five; _ -> other catch _:_ -> caught end end},
     {bif_badarg, fun() -> atom_to_list(id(1)) end},
     {bif_badarg2, fun() -> list_to_integer(id("x")) end},
     {element_bad, fun() -> element(id(3), {a, b}) end},
     {hd_bad, fun() -> hd(id([])) end},
     {apply3, fun() -> apply(lists, reverse, [[1, 2, 3]]) end},
     {apply2, fun() -> apply(fun(A, B) -> {B, A} end, [1, 2]) end},
     {apply_bad, fun() -> apply(id(lists), reverse, id(foo)) end},
     {fun_external, fun() -> F = fun lists:reverse/1, F([1, 2]) end},
     {fun_closure, fun() -> X = id(5), lists:map(fun(Y) -> X + Y end, [1, 2, 3]) end},
     {fun_loop, fun() -> F = fun(_, 0) -> {stack_size, N} = process_info(self(), stack_size), N < 200; (G, N) -> G(G, N - 1) end, F(F, 100000) end},
     {fun_tail_error, fun() -> F = fun(G) -> G(1) end, F(id(not_a_fun)) end},
     {shared_badmatch, fun() -> [catch shared(X) || X <- [a, {ok, b}, {ok, 1}]] end},
     {fun_tail_arity, fun() -> F = fun(G) -> G(1) end, F(fun() -> x end) end},
     {deep, fun() -> deep(200000) end},
     {receive_order, fun() -> self() ! a, self() ! b, receive b -> ok end, receive X -> X end end},
     {receive_after, fun() -> receive never -> no after 10 -> timeout end end},
     {receive_zero, fun() -> self() ! m, receive m -> got after 0 -> none end end},
     {sleep_with_messages, fun() ->
          Self = self(),
          spawn(fun() -> [Self ! N || N <- lists:seq(1, 20000)] end),
          [timer:sleep(1) || _ <- lists:seq(1, 20)],
          receive 20000 -> ok end
      end},
     {receive_bad_timeout, fun() -> receive never -> no after id(foo) -> yes end end},
     {select_mix, fun() -> [pick(X) || X <- [a, 1, 2.0, "s", <<"b">>, {t}, 1 bsl 70, b]] end},
     {guards, fun() -> [g(X, Y) || X <- [1, a, 2.0, [], {}], Y <- [1, a]] end},
     {size_guard, fun() -> [catch sz(X) || X <- [{1, 2}, <<1, 2, 3>>, a]] end}].

id(X) -> X.

%% Both matches fail in the same place, with frames of different sizes.
shared(X) ->
    Y = id({b, 1}),
    {ok, P} = id(X),
    Z = id(P),
    {ok, _} = id(Z),
    id({P, Y}).

f(1) -> one;
f({a, _}) -> tuple.

g(X, Y) when X < Y, is_integer(X) -> lt;
g(X, _) when is_list(X); is_tuple(X) -> compound;
g(X, Y) when X == Y -> eq;
g(_, _) -> other.

sz(X) when size(X) > 2 -> big;
sz(X) when tuple_size(X) == 2 -> pair;
sz(_) -> none.

%% Where the traces of failing fun calls begin.
failing_call(Kind, F) ->
    try call_fun(Kind, F)
    catch error:Reason:S -> {Kind, element(1, {Reason}) =:= undef orelse element(1, Reason), [{Fn, A} || {?MODULE, Fn, A, _} <- lists:sublist(S, 3), Fn =:= call_fun]}
    end.

call_fun(call, F) -> X = F(1), {X};
call_fun(checked, F) when is_function(F) -> X = F(1), {X};
call_fun(last, F) -> F(1);
call_fun(apply, F) -> X = apply(F, id([1])), {X};
call_fun(apply_last, F) -> apply(F, id([1]));
call_fun(kept, F) -> A = id(1), B = id(2), X = F(A), {X, A, B};
call_fun(_, _) -> none.

%% More arguments than a function can have.
apply_many(function, L) -> {apply(id(?MODULE), nope, L)};
apply_many(last, L) -> apply(id(?MODULE), nope, L);
apply_many(applied, L) -> {apply(id(fun(X, _, _) -> X end), L)};
apply_many(applied_last, L) -> apply(id(fun(X, _, _) -> X end), L).
many(F, L) ->
    Short = fun(X) -> case X of {R, {_, As}} -> {R, length(As)}; As when is_list(As) -> length(As); _ -> X end end,
    try F(L) catch C:R:S -> {C, Short(R), [{M, Fn, case {M, As} of {erlang, _} -> n; _ -> Short(As) end} || {M, Fn, As, _} <- lists:sublist(S, 2)]} end.
names(F) -> try F() catch error:R:S -> {R, [{M, Fn} || {M, Fn, _, _} <- lists:sublist(S, 1), M =:= erlang]} end.

%% Two moves before the tail call of foldl/3 are done as one, and then its line stays in force for the failing case behind it.
moves_before_line(A) ->
    lists:foldl(fun(V, B) -> [V | B] end, erase(never), case maps:from_list([{I, I} || I <- lists:seq(1, id(2))]) of
            _ when {A, A} =< {A, {1}} ->
                [1, 2, 3];
            _ when is_atom(A) ->
                put(k2, A),
                [[], [1]]
        end).

caught(F) ->
    try F() catch C:R:S -> {C, R, hd(S)} end.

%% The line of the tail call of id/1 is lost, and with it that of the division.
dropped_line(A, N) ->
    X = id(A),
    if
        X =:= a -> id(N); true -> (N div 0) end.

kept_line(A, N) ->
    X = id(A),
    if
        X =:= a -> apply(lists, sum, N);
        true -> (N div 0) end.

negated(X) when is_float(X) -> -X.

nested(0) -> error(bottom);
nested(N) -> [N | nested(N - 1)].

deep(0) -> 0;
deep(N) -> 1 + deep(N - 1).

pick(a) -> atom_a;
pick(1) -> one;
pick(2.0) -> two_float;
pick("s") -> string;
pick(1180591620717411303424) -> big;
pick({t}) -> tuple;
pick(<<"b">>) -> binary;
pick(b) -> atom_b.
