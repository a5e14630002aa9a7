%% match_spec_tests.erl: match specifications by themselves: compiling, running on lists, erlang:match_spec_test/3 with
%% its messages, and every guard function with good and bad arguments.
-module(match_spec_tests).
-export([tests/0]).

tests() ->
    lists:append([patterns(), guards(), logic(), bodies(), wrong(), trace(), compiled()]).

result(F) ->
    try {ok, F()} catch Class:Reason -> {Class, Reason} end.

table(Object, Spec) -> result(fun() -> erlang:match_spec_test(Object, Spec, table) end).
trace(Arguments, Spec) -> result(fun() -> erlang:match_spec_test(Arguments, Spec, trace) end).

%% What a list of objects becomes.
run(Objects, Spec) -> result(fun() -> ets:match_spec_run(Objects, ets:match_spec_compile(Spec)) end).

objects() ->
    [{}, {1}, {1, 2}, {1, 1}, {1, 1.0}, {a, b, c}, {{a, 1}, [x, y]}, {[1, 2 | 3], "text"}, {[[[]]], [a]}, {#{}, #{a => 1}},
     {#{a => 1, b => {c}}, #{a => 2}}, {<<"bin">>, <<1:3>>}, {1.5, -0.0}, {0.0, 1 bsl 70}, {{}, []}, {{{1, {2}}, 3}, x},
     {maps:from_list([{N, N} || N <- lists:seq(1, 40)]), big}, notuple, [list], 17, {x, y, z, u, v}].

patterns() ->
    Patterns = ['_', '$1', '$0', {}, {'$1'}, {'$1', '$2'}, {'$1', '$1'}, {'_', '_'}, {1, '$1'}, {a, '$1', '_'}, {{'$1', 1}, '_'},
                {[1 | '$1'], '_'}, {['$1', 2 | 3], '$2'}, {'$1', "text"}, {[['$1']], '_'}, {#{}, '$1'}, {#{a => '$1'}, '_'},
                {'_', #{a => '$1'}}, {#{a => 1, b => {'$1'}}, #{a => '$2'}}, {<<"bin">>, '$1'}, {'$1', <<1:3>>}, {1.5, '$1'},
                {'$1', 0.0}, {'$1', -0.0}, {0.0, '$1'}, {'_', 1 bsl 70}, {{}, '_'}, {'$1', []}, {{{1, {'$3'}}, '$2'}, '$1'},
                {#{1 => '$1', 40 => '$2'}, '_'}, notuple, ['$1'], 17, '$2000000000', {'$100', '$20', '$3'}, '$a', {'$01', '_'}, '$',
                {'$1', '_', '_', '$1', '_'}, {'$$', '_'}, {'$_', '_'}],
    [{{pattern, N}, fun() -> run(objects(), [{P, [], ['$$']}, {'_', [], [no]}]) end}
     || {N, P} <- lists:zip(lists:seq(1, length(Patterns)), Patterns)]
    ++ [{{whole, N}, fun() -> run(objects(), [{P, [], ['$_']}]) end}
        || {N, P} <- lists:zip(lists:seq(1, length(Patterns)), Patterns)]
    ++ [{clauses, fun() ->
            run(objects(), [{{'$1'}, [], [{{one, '$1'}}]}, {{'$1', '$2'}, [{is_integer, '$2'}], [{{two, '$2', '$1'}}]},
                            {{'_', '_'}, [], [pair]}, {'$1', [{is_atom, '$1'}], ['$1']}])
        end},
        {deep, fun() ->
            Deep = lists:foldl(fun(_, A) -> {[A]} end, '$1', lists:seq(1, 5000)),
            Value = lists:foldl(fun(_, A) -> {[A]} end, found, lists:seq(1, 5000)),
            run([Value, found], [{Deep, [], ['$1']}])
        end},
        {long, fun() -> run([lists:seq(1, 5000)], [{lists:seq(1, 4999) ++ ['$1'], [], ['$1']}]) end}].

guards() ->
    Values = [1, -7, 0, 1.5, -2.5, 1 bsl 70, a, true, false, [], [1, 2, 3], [1 | 2], {}, {a}, {r, 1, 2}, #{}, #{a => 1}, <<>>,
              <<"binary">>, <<1:3>>, "text", fun lists:reverse/1, self(), make_ref()],
    Unary = [is_atom, is_float, is_integer, is_list, is_number, is_pid, is_port, is_reference, is_tuple, is_map, is_binary,
             is_function, abs, hd, length, node, round, size, map_size, bit_size, byte_size, tl, trunc, float, '+', '-', 'bnot',
             'not'],
    Binary = [element, map_get, is_map_key, '+', '-', '*', '/', 'div', 'rem', 'band', 'bor', 'bxor', 'bsl', 'bsr', '>', '>=', '<',
              '=<', '==', '=:=', '/=', '=/=', 'xor'],
    Pairs = [{1, 2}, {2, 1}, {1, 1.0}, {a, b}, {7, 0}, {7.5, 2}, {1 bsl 70, 3}, {2, {x, y}}, {a, #{a => v}}, {b, #{a => v}}, {0, {x}},
             {true, false}, {true, true}, {true, 1}, {-7, 2}, {3, -1}, {3, 70}, {[], {}}, {"a", "b"}, {1.0e300, 1.0e300}, {9, 0.0}],
    [{{unary, F}, fun() -> run([{V} || V <- Values, not is_function(V), not is_pid(V), not is_reference(V)], [{{'$1'}, [], [{{F, {F, '$1'}}}]}]) end}
     || F <- Unary]
    ++ [{{unary_guard, F}, fun() -> length(element(2, run([{V} || V <- Values], [{{'$1'}, [{'=:=', {F, '$1'}, {F, '$1'}}], [true]}]))) end}
        || F <- Unary]
    ++ [{{unary_test, F}, fun() -> length(element(2, run([{V} || V <- Values], [{{'$1'}, [{F, '$1'}], [true]}]))) end}
        || F <- Unary]
    ++ [{{binary, F}, fun() -> run(Pairs, [{{'$1', '$2'}, [], [{{F, {F, '$1', '$2'}}}]}]) end} || F <- Binary]
    ++ [{{binary_guard, F}, fun() -> run(Pairs, [{{'$1', '$2'}, [{F, '$1', '$2'}], [{{'$1', '$2'}}]}]) end} || F <- Binary]
    ++ [{{is_record, N}, fun() -> run([{V} || V <- [{r, 1, 2}, {r}, {}, r, {s, 1, 2}]], [{{'$1'}, [], [Call]}]) end}
        || {N, Call} <- [{1, {is_record, '$1', r, 3}}, {2, {is_record, '$1', 1, 3}}, {3, {is_record, '$1', r, a}}, {4, {is_record, '$1', r, 1}},
                         {5, {is_record, '$1', r}}]]
    ++ [{{binary_part, N}, fun() -> run([{<<"0123456789">>}, {<<>>}, {a}, {<<1:3>>}], [{{'$1'}, [], [Call]}]) end}
        || {N, Call} <- [{1, {binary_part, '$1', 2, 3}}, {2, {binary_part, '$1', {{2, 3}}}}, {3, {binary_part, '$1', 10, -3}},
                         {4, {binary_part, '$1', 5, 6}}, {5, {binary_part, '$1', -1, 1}}, {6, {binary_part, '$1', a, 1}},
                         {7, {binary_part, '$1', {const, {0, 0}}}}, {8, {binary_part, '$1', 0, 1 bsl 70}}]]
    ++ [{node, fun() -> run([{1}], [{{'_'}, [{'=:=', {node}, {node, {self}}}], [{node}]}]) end},
        {self, fun() -> result(fun() ->
            [S] = ets:match_spec_run([{1}], ets:match_spec_compile([{{'_'}, [], [{self}]}])), S =:= self() end) end},
        {big_results, fun() -> run([{N} || N <- [1, 1 bsl 59, 1 bsl 100]],
            [{{'$1'}, [{'>', {'*', '$1', 1 bsl 40}, 0}], [{{{'*', '$1', 1 bsl 40}, {'-', '$1', 1 bsl 64}}}]}]) end}].

logic() ->
    Values = [{A, B} || A <- [true, false, x], B <- [true, false, x]],
    Ops = ['and', 'or', 'andalso', 'orelse', 'xor', 'andthen'],
    [{{logic, Op}, fun() -> run(Values, [{{'$1', '$2'}, [], [{{'$1', '$2', {Op, '$1', '$2'}}}]}]) end} || Op <- Ops]
    ++ [{{logic_guard, Op}, fun() -> run(Values, [{{'$1', '$2'}, [{Op, '$1', '$2'}], ['$_']}]) end} || Op <- Ops]
    ++ [{{logic_three, Op}, fun() -> run(Values, [{{'$1', '$2'}, [], [{Op, '$1', '$2', '$1'}]}]) end} || Op <- Ops]
    ++ [{{logic_one, Op}, fun() -> run(Values, [{{'$1', '$2'}, [], [{Op, '$1'}]}]) end} || Op <- Ops]
    ++ [{{logic_none, Op}, fun() -> table({1}, [{{'$1'}, [], [{Op}]}]) end} || Op <- Ops]
    ++ [{logic_guards, fun() -> run(Values, [{{'$1', '$2'}, ['$1', '$2'], [both]}, {{'$1', '$2'}, ['$2'], [second]}]) end},
        {logic_failing, fun() -> run([{1}, {a}], [{{'$1'}, [{'orelse', {'>', {'+', '$1', 1}, 0}, true}], [yes]}, {'_', [], [no]}]) end},
        {logic_short, fun() -> run([{1}, {a}], [{{'$1'}, [{'andalso', {is_integer, '$1'}, {'>', {'+', '$1', 1}, 0}}], [yes]}, {'_', [], [no]}]) end}].

bodies() ->
    Bodies = [['$_'], ['$$'], ['$1'], [{{}}], [{{'$1', '$2'}}], [[]], [['$1', '$2']], [['$1' | '$2']], [#{}], [#{a => '$1'}], [#{'$1' => '$2'}],
              [{const, '$1'}], [{const, {a, b}}], [{{{const, [x]}, '$1'}}], [a, b, c], ['$1', '$2'], [{{'$1', {{'$2', "text", <<"bin">>}}}}],
              [1.5], ["text"], [[a, [b, ['$1']]]], [{'+', '$1', a}], [{{{hd, '$1'}}}], [#{{const, a} => {const, b}, c => {{d}}}],
              [#{a => 1, b => {{'$1'}}}], [{{1, 2, {{3}}}}], [{element, 2, '$_'}], [{map_get, a, #{a => '$1'}}], [[{const, a} | '$1']],
              [maps:from_list([{N, N} || N <- lists:seq(1, 40)])], [maps:from_list([{N, '$1'} || N <- lists:seq(1, 40)])],
              [#{'$1' => a, '$2' => b}], ['$1', {'div', 1, 0}], [{{'$_', '$_', '$1', '$1'}}], [{size, '$_'}], ['_'], [fun lists:reverse/1]],
    [{{body, N}, fun() -> run([{1, 2}, {x, "y"}, {3, 3}, {[a], {b, c}}], [{{'$1', '$2'}, [], B}]) end}
     || {N, B} <- lists:zip(lists:seq(1, length(Bodies)), Bodies)].

wrong() ->
    Specs = [foo, [], [foo], [{a, b}], [{'_', [], [true]} | x], [{'_', [], []}], [{'_', [], foo}], [{'_', foo, [true]}],
             [{'_', [true | x], [true]}], [{'_', [], [true | x]}], [{'_', [], ['$1']}], [{{'$1'}, ['$2'], ['$3']}],
             [{'_', [], [{a, b}]}], [{'_', [], [{}]}], [{'_', [], [{1, 2}]}], [{'_', [], [{"x"}]}], [{'_', [], [{foo, '$1'}]}],
             [{'_', [{is_atom}], [true]}], [{'_', [{is_atom, a, b}], [true]}], [{'_', [], [{const}]}], [{'_', [], [{const, a, b}]}],
             [{#{'$1' => x}, [], [true]}], [{#{'_' => x}, [], [true]}], [{'_', [], [{self, a}]}], [{'_', [], [{message, a}]}],
             [{'_', [], [{return_trace}]}], [{'_', [{exception_trace}], [true]}], [{'_', [], [{caller}]}], [{'_', [], [{silent, true}]}],
             [{'_', [], [{set_tcw, 1}]}], [{'_', [{get_tcw}], [true]}], [{'_', [], [{trace, [], []}]}], [{'_', [], [{process_dump}]}],
             [{'_', [], [{display, a}]}], [{'_', [], [{enable_trace, call}]}], [{'_', [], [{is_seq_trace}]}],
             [{'_', [], [{get_seq_token}]}], [{'_', [], [{set_seq_token, label, 1}]}],
             [{'_', [{'$1', 2}], [true]}], [{'_', [[{foo, bar}]], [true]}], [{'_', [], [{'$1'}]}], [{'_', [], [{{'$9', {foo}}}]}],
             [{'_', [], [{{{{a}}, {b}}}]}], [{'_', [], [true]}, {'_', [], ['$7']}], [{'_', [], ['$12345678']}], [{'_', [], [{'and'}]}]],
    Numbered = lists:zip(lists:seq(1, length(Specs)), Specs),
    [{{wrong_test, N}, fun() -> table({1}, S) end} || {N, S} <- Numbered]
    ++ [{{wrong_compile, N}, fun() -> result(fun() -> is_reference(ets:match_spec_compile(S)) end) end} || {N, S} <- Numbered]
    ++ [{{wrong_trace, N}, fun() -> trace([1], S) end} || {N, S} <- Numbered, N < 25]
    ++ [{deep_expression, fun() ->
            Deep = lists:foldl(fun(_, A) -> {'not', A} end, '$1', lists:seq(1, 200)),
            run([{true}], [{{'$1'}, [], [Deep]}])
        end}].

trace() ->
    Specs = [{[1, 2], [{['$1', '$2'], [], []}]}, {[1, 2], [{'_', [], []}]}, {[1, 2], [{'$1', [], [{message, '$1'}]}]},
             {[1, 2], [{['$1', '_'], [{'>', '$1', 0}], [{message, {{'$1', got}}}]}]}, {[1], [{['$1', '_'], [], []}]},
             {[], [{[], [], [{message, empty}]}]}, {[], [{'_', [], [{message, '$_'}]}]}, {[a, b], [{['$1', '$2'], [], [{message, '$$'}]}]},
             {[a, b], [{['$1', '$2'], [], [{message, '$_'}]}]}, {[1], [{'_', [], [{return_trace}]}]}, {[1], [{'_', [], [{exception_trace}]}]},
             {[1], [{'_', [], [{return_trace}, {exception_trace}]}]}, {[1], [{'_', [], [{message, false}]}]},
             {[1], [{'_', [], [{message, {caller}}]}]}, {[1], [{'_', [], [{message, {is_seq_trace}}]}]}, {[1], [{'_', [], [{silent, true}]}]},
             {[1], [{'_', [{is_seq_trace}], []}]}, {[1], [{'_', [{return_trace}], []}]}, {[1], [{'_', [{message, a}], []}]},
             {[1], [{{'$1'}, [], [{message, '$1'}]}]}, {[1], [{foo, [], []}]}, {[1], [{['$1' | x], [], []}]}, {[1], [{1, [], []}]},
             {foo, [{'_', [], []}]}, {{1}, [{'_', [], []}]}, {[1], [{'_', [], [{message}]}]}, {[1], [{'_', [], [{silent}]}]},
             {[1], [{'_', [], [{message, {get_seq_token}}]}]}, {[1], [{'_', [], [{return_trace, x}]}]},
             {[2], [{[1], [], [{message, one}]}, {[2], [], [{message, two}]}]}, {[x], [{'$1', [], [{message, {{'$1'}}}, {return_trace}]}]},
             {[#{a => 1}], [{[#{a => '$1'}], [], [{message, '$1'}]}]}],
    [{{trace, N}, fun() -> trace(A, S) end} || {N, {A, S}} <- lists:zip(lists:seq(1, length(Specs)), Specs)]
    ++ [{test_type, fun() -> result(fun() -> erlang:match_spec_test({1}, [{'_', [], [true]}], foo) end) end},
        {test_no_match, fun() -> table({1}, [{{2}, [], [true]}]) end},
        {test_result, fun() -> table({1, "x"}, [{{'$1', '$2'}, [], [{{'$2', '$1'}}]}]) end},
        {test_not_tuple, fun() -> table([1], [{'_', [], ['$_']}]) end},
        {ets_test_ms, fun() -> [ets:test_ms({1, 2}, [{{'$1', '$2'}, [], ['$2']}]), ets:test_ms({1}, [{{2}, [], [x]}])] end},
        {ets_test_ms_error, fun() -> ets:test_ms({1}, [{'_', [], ['$1']}]) end}].

compiled() ->
    [{is_compiled, fun() ->
        C = ets:match_spec_compile([{'_', [], ['$_']}]),
        [ets:is_compiled_ms(X) || X <- [C, foo, make_ref(), [{'_', [], ['$_']}], <<>>]]
     end},
     {run_errors, fun() ->
        C = ets:match_spec_compile([{'_', [], ['$_']}]),
        T = ets:new(x, []),
        R = [result(fun() -> ets:match_spec_run(L, P) end) || {L, P} <- [{[{1}], C}, {foo, C}, {[{1} | x], C}, {[], C}, {[], foo}, {[{1}], T}, {[{1}], make_ref()}]],
        ets:delete(T),
        R
     end},
     {many, fun() ->
        C = ets:match_spec_compile([{{'$1', '$2'}, [{'<', '$1', 5000}], [{{'$2', '$1'}}]}]),
        erlang:phash2(ets:match_spec_run([{N, N rem 17} || N <- lists:seq(1, 20000)], C))
     end},
     {sent, fun() ->
        C = ets:match_spec_compile([{{'$1'}, [], [{{got, '$1'}}]}]),
        Self = self(),
        spawn(fun() -> Self ! {result, ets:match_spec_run([{1}, {2}], C)} end),
        receive {result, R} -> R after 2000 -> timeout end
     end}].
