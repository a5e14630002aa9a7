%% Guard BIFs in guards and in bodies with good and bad arguments; every kind of error with its stack trace, line and
%% formatted text.
-module(guard_tests).
-export([tests/0, one/1, clause/2]).
-record(rec, {a, b = 2}).

tests() ->
    [{{guard, Name}, fun() -> [{X, G(X)} || X <- values()] end} || {Name, G, _} <- unary()] ++
    [{{body, Name}, fun() -> [{X, caught(fun() -> B(X) end)} || X <- values()] end} || {Name, _, B} <- unary()] ++
    [{{guard2, Name}, fun() -> [{X, Y, G(X, Y)} || X <- values2(), Y <- values2()] end} || {Name, G, _} <- binary()] ++
    [{{body2, Name}, fun() -> [{X, Y, caught(fun() -> B(X, Y) end)} || X <- values2(), Y <- values2()] end} || {Name, _, B} <- binary()] ++
    [{{guard, bool, N}, fun() -> [{X, Y, F(X, Y)} || X <- [true, false, a, 1], Y <- [true, false, b]] end} || {N, F} <- booleans()] ++
    [{{error, Name}, F} || {Name, F} <- errors()] ++
    [{{format, Name}, fun() -> formatted(F) end} || {Name, F} <- errors()] ++
    [{{apply, M, F, length(A)}, fun() -> formatted(fun() -> apply(M, F, A) end) end} || {M, F, A} <- bad_calls()] ++
    [{lines, fun() -> [L || {_, F} <- errors(), L <- [line_of(F)]] end},
     {reraised, fun() -> try try error(first) catch _:_ -> error(second) end catch C:R:S -> {C, R, length(S) > 0, element(2, hd(S))} end end},
     {raise_given, fun() -> [caught(fun() -> erlang:raise(C, reason, S) end) || C <- [error, exit, throw, other], S <- [[], [{m, f, 1, []}], [{m, f, [a], [{file, "f"}, {line, 3}]}], x, [bad], [{m, f, a}], [{fun() -> ok end, []}]]] end},
     {after_order, fun() -> put(o, []), Add = fun(X) -> put(o, [X | get(o)]) end, catch (try try error(x) after Add(1) end catch error:x -> Add(2), throw(y) after Add(3) end), get(o) end},
     {nested_catch, fun() -> catch {catch error(a), catch throw(b), catch exit(c), catch 1 + id(x)} end},
     {throw_through, fun() -> try lists:map(fun(X) -> X > 2 andalso throw({found, X}), X end, [1, 2, 3, 4]) catch throw:T -> T end end},
     {error_in_guard_fun, fun() -> [clause(X, Y) || X <- [1, a, {1}], Y <- [0, 1, b]] end},
     {deep_stack, fun() -> try deep(20) catch _:_:S -> {length(S), [{F, A, proplists:get_value(line, L)} || {_, F, A, L} <- S]} end end},
     {tail_stack, fun() -> try tail(20) catch _:_:S -> {length(S), [{F, A} || {_, F, A, _} <- S]} end end},
     {backtrace_depth, fun() -> Old = erlang:system_flag(backtrace_depth, 3), R = try deep(20) catch _:_:S -> length(S) end, erlang:system_flag(backtrace_depth, Old), {Old, R} end},
     {exit_reasons, fun() -> [exit_reason(F) || F <- [fun() -> error(x) end, fun() -> throw(x) end, fun() -> exit(x) end, fun() -> 1 = id(2) end, fun() -> ok end, fun() -> erlang:raise(exit, kill, []) end]] end}].

id(X) -> X.
caught(F) -> try F() catch C:R:S -> {C, R, info(S)} end.
info([{M, F, A, Extra} | _]) -> {M, F, if is_list(A) -> length(A); true -> A end, proplists:get_value(error_info, Extra, none), proplists:get_value(line, Extra, none)};
info(X) -> X.

line_of(F) -> try F() catch _:_:S -> [proplists:get_value(line, L) || {?MODULE, _, _, L} <- S] end.

formatted(F) ->
    try {ok, F()} catch C:R:S ->
        Own = lists:takewhile(fun({M, _, _, _}) -> M =/= harness end, S),
        {C, unicode:characters_to_binary(erl_error:format_exception(C, R, Own)), unicode:characters_to_binary(erl_error:format_exception(C, R, Own, #{column => 5}))}
    end.

values() -> [0, 1, -3, 1 bsl 70, 1.5, -2.5, 0.0, a, true, false, [], [1, 2], [1 | 2], "str", {}, {1}, {rec, 1, 2}, {rec, 1}, <<>>, <<"ab">>, <<1:3>>, #{}, #{a => 1}, fun(X) -> X end, fun lists:map/2, make_ref(), self()].
values2() -> [0, 1, 2, -1, 2.5, 1 bsl 70, a, [], {a, b}, <<"abc">>, #{1 => x}, [1, 2 | 3]].

-define(UNARY(Name, Expr), {Name, fun(X) when Expr -> yes; (_) -> no end, fun(X) -> Expr end}).
-define(VALUE(Name, Expr), {Name, fun(X) when Expr =:= Expr, Expr =/= impossible -> yes; (_) -> no end, fun(X) -> Expr end}).
-define(BINARY(Name, Expr), {Name, fun(X, Y) when Expr =/= impossible -> yes; (_, _) -> no end, fun(X, Y) -> Expr end}).

unary() ->
    [?UNARY(is_atom, is_atom(X)), ?UNARY(is_binary, is_binary(X)), ?UNARY(is_bitstring, is_bitstring(X)), ?UNARY(is_boolean, is_boolean(X)), ?UNARY(is_float, is_float(X)), ?UNARY(is_function, is_function(X)), ?UNARY(is_function2, is_function(X, 1)), ?UNARY(is_integer, is_integer(X)), ?UNARY(is_list, is_list(X)), ?UNARY(is_map, is_map(X)), ?UNARY(is_number, is_number(X)),
     ?UNARY(is_pid, is_pid(X)), ?UNARY(is_port, is_port(X)), ?UNARY(is_record, is_record(X, rec)), ?UNARY(is_record3, is_record(X, rec, 3)), ?UNARY(is_reference, is_reference(X)), ?UNARY(is_tuple, is_tuple(X)), ?VALUE(abs, abs(X)), ?VALUE(bit_size, bit_size(X)), ?VALUE(byte_size, byte_size(X)), ?VALUE(ceil, ceil(X)), ?VALUE(floor, floor(X)), ?VALUE(float, float(X)), ?VALUE(hd, hd(X)),
     ?VALUE(tl, tl(X)), ?VALUE(length, length(X)), ?VALUE(map_size, map_size(X)), ?VALUE(round, round(X)), ?VALUE(size, size(X)), ?VALUE(trunc, trunc(X)), ?VALUE(tuple_size, tuple_size(X)), ?VALUE(negate, -X), ?VALUE(plus, +X), ?VALUE(bnot_, bnot X), ?VALUE(node, node(X)), ?VALUE(element1, element(1, X)), ?VALUE(add, X + 1), ?VALUE(sub, X - 1), ?VALUE(mul, X * 2), ?VALUE('div', X div 2), ?VALUE('rem', X rem 2),
     ?VALUE(divide, 3 / X), ?VALUE(map_get, map_get(a, X)), ?UNARY(is_map_key, is_map_key(a, X)), ?VALUE(binary_part, binary_part(X, 0, 1)), ?UNARY('not', not X), ?UNARY(field, X#rec.b =:= 2), ?UNARY(self_, X =:= self()), ?VALUE(nested, hd([element(1, {X}), tuple_size({X, X})])), ?UNARY(compare, X > 0 andalso X < 100 orelse X == a), ?VALUE(bits, (X band 7) bor (X bsl 3) bxor 5), ?VALUE(shift, X bsr 1), ?VALUE(list_made, length([X, X | [1]])), ?VALUE(map_made, map_size(#{a => X}))].

binary() ->
    [?BINARY('+', X + Y), ?BINARY('-', X - Y), ?BINARY('*', X * Y), ?BINARY('/', X / Y), ?BINARY('div', X div Y), ?BINARY('rem', X rem Y), ?BINARY('band', X band Y), ?BINARY('bor', X bor Y), ?BINARY('bxor', X bxor Y), ?BINARY(element, element(X, Y)), ?BINARY(is_function, is_function(X, Y)), ?BINARY(map_get, map_get(X, Y)), ?BINARY(is_map_key, is_map_key(X, Y)), ?BINARY(binary_part, binary_part(X, Y)), ?BINARY(binary_part3, binary_part(X, 0, Y)), ?BINARY(bsl_small, X bsl (Y band 63)), ?BINARY('++', length([X | Y]))].

booleans() ->
    [{'and', fun(X, Y) when X and Y -> yes; (_, _) -> no end}, {'or', fun(X, Y) when X or Y -> yes; (_, _) -> no end}, {'xor', fun(X, Y) when X xor Y -> yes; (_, _) -> no end}, {'andalso', fun(X, Y) when X andalso Y -> yes; (_, _) -> no end}, {'orelse', fun(X, Y) when X orelse Y -> yes; (_, _) -> no end}, {comma, fun(X, Y) when X, Y -> yes; (_, _) -> no end}, {semicolon, fun(X, Y) when X; Y -> yes; (_, _) -> no end}, {fails, fun(X, Y) when hd(X) =:= 1; Y -> yes; (_, _) -> no end}, {'not', fun(X, Y) when not X, not (X and Y) -> yes; (_, _) -> no end},
     {body, fun(X, Y) -> [caught(fun() -> X and Y end), caught(fun() -> X or Y end), caught(fun() -> X xor Y end), caught(fun() -> X andalso Y end), caught(fun() -> X orelse Y end), caught(fun() -> not X end), caught(fun() -> if X andalso Y -> t; true -> f end end)] end}].

errors() ->
    [{badmatch, fun() -> {a, _} = id({b, 1}) end},
     {badmatch_list, fun() -> [_, _ | _] = id([1]) end},
     {badmatch_tail, fun() -> X = id(1), X = id(2), ok end},
     {case_clause, fun() -> case id([x]) of {_} -> a; [] -> b end end},
     {if_clause, fun() -> X = id(3), if X > 5 -> a; X < 1 -> b end end},
     {function_clause, fun() -> one(id(7)) end},
     {function_clause_fun, fun() -> F = fun(a) -> 1; (b) -> 2 end, (id(F))(c) end},
     {function_clause_lib, fun() -> lists:nth(id(0), [1]) end},
     {badrecord, fun() -> R = id({other, 1}), R#rec.a end},
     {badrecord_update, fun() -> R = id({rec, 1}), R#rec{a = 1} end},
     {badmap, fun() -> M = id(no_map), M#{a => 1} end},
     {badkey, fun() -> M = id(#{}), M#{a := 1} end},
     {badkey_get, fun() -> maps:get(k, id(#{a => 1})) end},
     {badfun, fun() -> F = id(not_a_fun), F(1, 2) end},
     {badfun_tail, fun() -> F = id({tuple}), F() end},
     {badarity, fun() -> F = id(fun(X) -> X end), F(1, 2) end},
     {badarity_external, fun() -> F = id(fun lists:reverse/1), [F(1, 2)] end},
     {badarity_external_tail, fun() -> F = id(fun lists:reverse/1), F(1, 2) end},
     {badfun_two, fun() -> F = id(nofun), [F(1, 2)] end},
     {badarity_two, fun() -> F = id(fun() -> ok end), [F(1, 2)] end},
     {tail_fun, fun() -> F = id(fun(X) -> error(X) end), F(deep) end},
     {tail_fun_free, fun() -> Y = id(5), F = id(fun(X) -> error({X, Y}) end), id(1), F(Y + 1) end},
     {badarity_apply, fun() -> apply(id(fun() -> ok end), [1]) end},
     {apply_badfun, fun() -> apply(id(foo), [1]) end},
     {apply_bad_list, fun() -> apply(id(fun() -> ok end), id([1 | 2])) end},
     {apply_bad_list3, fun() -> [apply(id(lists), id(map), id([1 | 2]))] end},
     {apply_bad_module, fun() -> apply(id(1), foo, []) end},
     {apply_bad_name, fun() -> M = id(lists), F = id(1), M:F() end},
     {apply_bad_both, fun() -> M = id({lists}), M:foo(1) end},
     {undef, fun() -> nosuchmodule:f(id(1)) end},
     {undef_function, fun() -> [lists:nosuch(id(1), 2)] end},
     {undef_arity, fun() -> apply(lists, reverse, [1, 2, 3]) end},
     {undef_fun, fun() -> F = fun nosuchmodule:f/1, F(1) end},
     {undef_export_fun, fun() -> F = fun lists:nosuch/0, [F()] end},
     {try_clause, fun() -> try id(1) of 2 -> ok catch _:_ -> caught end end},
     {badarith, fun() -> id(a) + 1 end},
     {badarith_zero, fun() -> 1 div id(0) end},
     {badarith_two, fun() -> X = id(1), Y = id(b), [X * Y] end},
     {badarg, fun() -> atom_to_list(id("x")) end},
     {badarg_nested, fun() -> [list_to_integer(id("12x"))] end},
     {badarg_send, fun() -> id(nosuchname) ! hello end},
     {badarg_binary, fun() -> <<(id(a)):8>> end},
     {badarg_binary_size, fun() -> S = id(-1), <<1:S>> end},
     {system_limit, fun() -> list_to_atom(lists:duplicate(300, $a)) end},
     {system_limit_shift, fun() -> id(1) bsl (1 bsl 40) end},
     {nocatch, fun() -> throw(id({t, 1})) end},
     {exit, fun() -> exit(id(normal_reason)) end},
     {error_args, fun() -> error(id(custom), [1, 2]) end},
     {error_args_none, fun() -> error(id(custom), none) end},
     {error_options, fun() -> error(badarg, [x], [{error_info, #{cause => #{1 => "is wrong", general => "all"}, module => ?MODULE, function => nope}}]) end},
     {comprehension, fun() -> [X || X <- id(not_a_list)] end},
     {comprehension_improper, fun() -> [X || X <- id([1 | 2])] end},
     {comprehension_binary, fun() -> [X || <<X>> <= id(a)] end},
     {comprehension_filter, fun() -> [X || X <- [1], id(foo)] end},
     {bad_generator_binary, fun() -> << <<X>> || X <- id(foo) >> end},
     {hd, fun() -> hd(id([])) end}, {tl, fun() -> tl(id(a)) end}, {length, fun() -> length(id([1 | 2])) end},
     {element, fun() -> element(id(5), {a}) end}, {setelement, fun() -> setelement(id(0), {a}, b) end},
     {boolean, fun() -> id(1) andalso true end}, {boolean_or, fun() -> id(1) or true end}, {boolean_not, fun() -> not id(1) end},
     {append, fun() -> id(a) ++ [b] end}, {subtract, fun() -> [a] -- id(b) end},
     {after_error, fun() -> try error(x) after ok end end},
     {class_pattern, fun() -> try throw(a) catch throw:b -> ok end end},
     {in_lists_map, fun() -> lists:map(fun(X) -> 1 / X end, [1, 0]) end},
     {in_lists_foldl, fun() -> lists:foldl(fun(X, A) -> X + A end, 0, [1, b]) end},
     {in_sort, fun() -> lists:sort(fun(A, B) -> A + B end, [1, 2, 3]) end},
     {float_overflow, fun() -> id(1.0e308) * 10.0 end},
     {named_fun, fun() -> F = fun Loop(N) when N > 0 -> 1 + Loop(N - 1) end, F(3) end}].

one(1) -> one;
one(2) -> two.

clause(X, Y) when X + Y > 1 -> big;
clause(X, Y) when element(1, X) =:= Y -> element;
clause(X, _) when is_atom(X) -> atom;
clause(_, _) -> none.

deep(0) -> error(bottom);
deep(N) -> [N | deep(N - 1)].
tail(0) -> error(bottom);
tail(N) -> tail(N - 1).

exit_reason(F) ->
    logger:set_primary_config(level, none),
    {P, M} = spawn_monitor(F),
    R = receive {'DOWN', M, process, P, Reason} -> Reason end,
    R.

bad_calls() ->
    [{ets, new, [a, [foo]]}, {ets, lookup, [nosuch, 1]}, {ets, insert, [nosuch, {1}]}, {erlang, spawn, [foo]}, {erlang, link, [1]}, {erlang, monitor, [process, 1.5]}, {erlang, register, [a, b]}, {erlang, register, [undefined, self()]}, {erlang, unregister, [nosuch]}, {erlang, whereis, [1]}, {erlang, send_after, [-1, self(), m]}, {erlang, start_timer, [a, b, c]}, {erlang, cancel_timer, [x]}, {erlang, exit, [1, normal]}, {erlang, process_flag, [foo, 1]}, {erlang, process_flag, [trap_exit, 1]}, {erlang, process_info, [1]}, {erlang, process_info, [self(), foo]}, {erlang, group_leader, [1, self()]}, {erlang, put, [1]}, {erlang, get_keys, [1, 2]}, {erlang, system_info, [nosuch]}, {erlang, system_flag, [nosuch, 1]}, {erlang, statistics, [x]}, {erlang, memory, [x]}, {erlang, halt, [a]}, {erlang, make_tuple, [a, b]}, {erlang, integer_to_list, [a, 2]}, {erlang, float_to_list, [a, []]}, {erlang, list_to_atom, [1]}, {erlang, binary_to_term, [<<1>>]}, {erlang, phash2, [a, -1]}, {erlang, md5_update, [a, b]}, {erlang, decode_packet, [x, <<>>, []]}, {erlang, convert_time_unit, [1, a, b]}, {erlang, monotonic_time, [foo]}, {erlang, unique_integer, [x]}, {erlang, make_fun, [a, b, c]}, {erlang, function_exported, [1, 2, 3]}, {erlang, is_process_alive, [a]}, {erlang, suspend_process, [self()]}, {erlang, raise, [a, b, c]}, {erlang, demonitor, [x]}, {erlang, port_info, [x]}, {erlang, apply, [a]}, {lists, nth, [5, [1]]}, {lists, keyfind, [a, 0, []]}, {lists, reverse, [a]}, {lists, foldl, [a, b, c]}, {lists, seq, [1, a]}, {maps, get, [a, #{}]}, {maps, from_list, [a]}, {binary, part, [<<>>, 1, 2]}, {string, length, [a]}, {persistent_term, get, [nosuch_key_at_all]}, {persistent_term, put, [a]}, {atomics, new, [0, []]}, {atomics, get, [a, 1]}, {counters, new, [a, []]}, {io, format, [1]}, {io_lib, format, ["~d", []]}, {re, run, [a, b]}, {unicode, characters_to_list, [a]}, {os, getenv, [1]}, {file, read_file, [1]}, {math, sqrt, [-1]}, {math, log, [a]}, {timer, sleep, [a]}, {gen_server, call, [nosuch, x]}, {queue, head, [a]}, {dict, fetch, [a, b]}, {calendar, day_of_the_week, [{1, 2}]}, {code, ensure_loaded, [1]}, {application, get_env, [1, 2, 3]}, {erl_scan, string, [1]}, {base64, decode, ["a"]}, {zlib, inflate, [a, b]}].
