%% ets_tests.erl: ETS through its interface, compared with the real VM: results, errors and their causes.
%% tests/0 returns {Name, Fun}; each fun makes and deletes its own tables. Results of unordered tables are sorted,
%% except where the order within a key is the point.
-module(ets_tests).
-export([tests/0]).

tests() ->
    lists:append([creation(), basics(), errors(), bags(), ordered(), counters(), elements(), traversal(), fixation(),
                  owners(), info(), selects(), chunks(), deletion(), large(), random()]).

%% Runs F with a new table of each type.
each(Name, F) ->
    [{{Name, Type}, fun() -> with(Type, F) end} || Type <- [set, ordered_set, bag, duplicate_bag]].

with(Type, F) -> with_options([Type], F).

with_options(Options, F) ->
    T = ets:new(table, Options),
    try F(T) after catch ets:delete(T) end.

%% What a call does, with the cause in the error_info of an ETS function.
result(F) ->
    try {ok, F()}
    catch
        Class:Reason:Stack -> {Class, Reason, cause(Stack)}
    end.

cause([{ets, Name, _, Info} | _]) ->
    case lists:keyfind(error_info, 1, Info) of
        {error_info, Map} -> {Name, maps:get(cause, Map, none)};
        false -> {Name, no_info}
    end;
cause(_) -> other.

sorted(T) -> lists:sort(ets:tab2list(T)).

creation() ->
    Good = [[], [set], [bag], [duplicate_bag], [ordered_set], [bag, set], [ordered_set, bag], [public], [private],
            [protected, public], [{keypos, 2}], [compressed], [{write_concurrency, true}], [{write_concurrency, auto}],
            [{write_concurrency, false}, ordered_set], [{read_concurrency, true}], [{heir, none}],
            [{decentralized_counters, true}, {write_concurrency, true}], [ordered_set, {write_concurrency, true}],
            [ordered_set, {write_concurrency, auto}, {read_concurrency, true}], [private, {write_concurrency, true}],
            [private, {read_concurrency, true}], [{write_concurrency, {debug_hash_fixed_number_of_locks, 64}}]],
    Bad = [foo, [foo], [set | bag], [{keypos, 0}], [{keypos, a}], [{keypos, -1}], [{write_concurrency, 1}],
           [{read_concurrency, auto}], [{heir, foo}], [{heir, foo, bar}], [{a, b}], [{a, b, c}], [{heir, self()}],
           [ordered_set, {write_concurrency, {debug_hash_fixed_number_of_locks, 64}}], [1], [{keypos, 1.0}],
           [{decentralized_counters, maybe}], [{}]],
    Items = [type, protection, keypos, named_table, name, compressed, write_concurrency, read_concurrency, size, heir,
             decentralized_counters, node, fixed],
    [{{new, O}, fun() -> with_options(O, fun(T) -> [{I, ets:info(T, I)} || I <- Items] end) end} || O <- Good]
    ++ [{{new_bad, N}, fun() -> result(fun() -> ets:new(table, O) end) end}
        || {N, O} <- lists:zip(lists:seq(1, length(Bad)), Bad)]
    ++ [{new_name, fun() -> result(fun() -> ets:new("table", []) end) end},
        {new_twice, fun() ->
            ets:new(ets_tests_name, [named_table]),
            R = result(fun() -> ets:new(ets_tests_name, [named_table]) end),
            [R, ets:delete(ets_tests_name), ets:whereis(ets_tests_name)]
        end},
        {named, fun() ->
            N = ets:new(ets_tests_name, [named_table]),
            ets:insert(N, {1, 2}),
            Ref = ets:whereis(N),
            R = [N, is_reference(Ref), ets:lookup(Ref, 1), ets:lookup(N, 1), ets:info(N, id) =:= Ref],
            ets:delete(Ref),
            R ++ [result(fun() -> ets:lookup(N, 1) end), result(fun() -> ets:lookup(Ref, 1) end)]
        end},
        {rename, fun() ->
            ets:new(ets_tests_one, [named_table]),
            ets:new(ets_tests_two, [named_table]),
            R = [result(fun() -> ets:rename(ets_tests_one, ets_tests_two) end),
                 result(fun() -> ets:rename(ets_tests_one, ets_tests_three) end),
                 result(fun() -> ets:lookup(ets_tests_one, a) end),
                 result(fun() -> ets:lookup(ets_tests_three, a) end),
                 result(fun() -> ets:rename(ets_tests_three, "x") end),
                 result(fun() -> ets:rename(ets_tests_nowhere, x) end)],
            ets:delete(ets_tests_two),
            ets:delete(ets_tests_three),
            R
        end},
        {rename_unnamed, fun() ->
            with(set, fun(T) -> [ets:rename(T, other) =:= T, ets:info(T, name), ets:info(T, named_table)] end)
        end},
        {whereis, fun() -> [ets:whereis(nowhere), result(fun() -> ets:whereis(1) end)] end}].

basics() ->
    each(insert_lookup, fun(T) ->
        ets:insert(T, [{1, a}, {2, b}, {1, c}, {1.0, d}, {x, "y"}, {<<"k">>, #{a => 1}}]),
        [sorted(T), lists:sort(ets:lookup(T, 1)), lists:sort(ets:lookup(T, 1.0)), ets:lookup(T, x), ets:lookup(T, none),
         ets:member(T, 2), ets:member(T, 3), ets:info(T, size)]
    end)
    ++ each(insert_new, fun(T) ->
        [ets:insert_new(T, {1, a}), ets:insert_new(T, {1, b}), ets:insert_new(T, [{2, a}, {1, c}]),
         ets:insert_new(T, [{2, a}, {3, c}, {3, d}]), ets:insert_new(T, []), sorted(T)]
    end)
    ++ each(delete, fun(T) ->
        ets:insert(T, [{1, a}, {1, b}, {2, c}]),
        [ets:delete(T, 1), ets:delete(T, 7), sorted(T), ets:info(T, size)]
    end)
    ++ each(delete_object, fun(T) ->
        ets:insert(T, [{1, a}, {1, b}, {1, b}, {2, c}]),
        [ets:delete_object(T, {1, b}), sorted(T), ets:delete_object(T, {2, d}), ets:delete_object(T, {2.0, c}),
         sorted(T), ets:info(T, size)]
    end)
    ++ each(take, fun(T) ->
        ets:insert(T, [{1, a}, {2, b}]),
        [ets:take(T, 1), ets:take(T, 1), sorted(T)]
    end)
    ++ each(lookup_element, fun(T) ->
        ets:insert(T, [{1, a, [x]}, {2, b}]),
        [result(fun() -> ets:lookup_element(T, K, P) end)
         || {K, P} <- [{1, 1}, {1, 2}, {1, 3}, {1, 4}, {2, 3}, {3, 1}, {1, 0}, {1, a}, {1, -1}]]
    end)
    ++ each(tab2list, fun(T) ->
        ets:insert(T, [{N, N * N} || N <- lists:seq(1, 500)]),
        [sorted(T), ets:foldl(fun({_, V}, A) -> V + A end, 0, T)]
    end)
    ++ each(keypos, fun(_) ->
        with_options([set, {keypos, 2}], fun(T) ->
            [result(fun() -> ets:insert(T, O) end) || O <- [{1}, {1, 2}, {1, 2, 3}, {a, b, c}]] ++ [sorted(T)]
        end)
    end)
    ++ each(terms, fun(T) ->
        Big = 1 bsl 200,
        Objects = [{N, V} || {N, V} <- lists:zip(lists:seq(1, 12),
            [Big, -Big, 1.5, "text", <<"bin">>, binary:copy(<<"x">>, 1000), #{}, maps:from_list([{I, I} || I <- lists:seq(1, 50)]),
             {}, [], <<1:3>>, make_deep(200)])],
        ets:insert(T, Objects),
        [sorted(T) =:= lists:sort(Objects), [ets:lookup(T, N) =:= [{N, V}] || {N, V} <- Objects]]
    end)
    ++ [{sub_binaries, fun() ->
            with(set, fun(T) ->
                B = binary:copy(<<"0123456789">>, 100),
                <<_:7, Bits:500/bits, _/bits>> = B,
                Sub = binary:part(B, 5, 300),
                ets:insert(T, {1, Sub, Bits, B}),
                [{1, S, Bs, B2}] = ets:lookup(T, 1),
                [S =:= Sub, Bs =:= Bits, B2 =:= B, erlang:phash2({S, Bs})]
            end)
        end},
        {funs, fun() ->
            with(set, fun(T) ->
                X = {some, "environment"},
                ets:insert(T, {1, fun(Y) -> {X, Y} end, fun lists:reverse/1}),
                [{1, F, G}] = ets:lookup(T, 1),
                [F(2), G([1, 2, 3])]
            end)
        end}].

make_deep(0) -> leaf;
make_deep(N) -> [{N, make_deep(N - 1)}].

errors() ->
    Calls = [{insert, [{1}]}, {insert_new, [{1}]}, {lookup, [1]}, {lookup_element, [1, 1]}, {member, [1]}, {delete, [1]},
             {delete, []}, {delete_object, [{1}]}, {take, [1]}, {first, []}, {last, []}, {next, [1]}, {prev, [1]},
             {slot, [0]}, {update_element, [1, {2, x}]}, {update_counter, [1, 1]}, {update_counter, [1, 1, {1, 1}]},
             {select, [[{'_', [], ['$_']}]]}, {select, [[{'_', [], ['$_']}], 1]}, {match, ['_']}, {match, ['_', 1]},
             {match_object, ['_']}, {select_count, [[{'_', [], [true]}]]}, {select_delete, [[{'_', [], [true]}]]},
             {select_replace, [[{'_', [], ['$_']}]]}, {select_reverse, [[{'_', [], ['$_']}]]}, {safe_fixtable, [true]},
             {info, []}, {info, [size]}, {rename, [x]}, {give_away, [self(), x]}, {setopts, [{heir, none}]},
             {delete_all_objects, []}],
    Private = fun(Protection, F) ->
        Self = self(),
        {Pid, Ref} = spawn_monitor(fun() ->
            T = ets:new(table, [Protection]),
            ets:insert(T, {1, a}),
            Self ! {self(), T},
            receive stop -> ok end
        end),
        receive
            {Pid, T} ->
                R = F(T),
                Pid ! stop,
                receive {'DOWN', Ref, _, _, _} -> ok end,
                R
        end
    end,
    [{{no_table, F, length(A)}, fun() -> result(fun() -> apply(ets, F, [nowhere | A]) end) end} || {F, A} <- Calls]
    ++ [{{no_identifier, F, length(A)}, fun() -> result(fun() -> apply(ets, F, [{x} | A]) end) end} || {F, A} <- Calls]
    ++ [{{wrong_reference, F, length(A)}, fun() -> result(fun() -> apply(ets, F, [make_ref() | A]) end) end}
        || {F, A} <- Calls]
    ++ [{{deleted, F, length(A)}, fun() ->
            T = ets:new(x, []),
            ets:delete(T),
            result(fun() -> apply(ets, F, [T | A]) end)
        end} || {F, A} <- Calls]
    ++ [{{Protection, F, length(A)}, fun() ->
            Private(Protection, fun(T) ->
                R = result(fun() -> apply(ets, F, [T | A]) end),
                case {F, A, R} of
                    {info, [], _} -> ok;
                    {_, _, {ok, {List, _Continuation}}} -> {ok, List};
                    _ -> R
                end
            end)
        end} || Protection <- [private, protected], {F, A} <- Calls]
    ++ [{{bad_object, Type, N}, fun() -> with(Type, fun(T) -> result(fun() -> ets:F(T, O) end) end) end}
        || Type <- [set, ordered_set, bag], F <- [insert, insert_new, delete_object],
           {N, O} <- [{{F, I}, X} || {I, X} <- lists:zip(lists:seq(1, 7), [foo, {}, [foo], [{1} | foo], [{1}, foo], [{}], 1])]].

bags() ->
    [{bag_order, fun() -> with(bag, fun(T) ->
        [ets:insert(T, O) || O <- [{1, a}, {1, b}, {1, c}, {1, a}]],
        One = ets:lookup(T, 1),
        ets:insert(T, [{2, a}, {2, b}, {2, c}]),
        [One, ets:lookup(T, 2), ets:lookup_element(T, 1, 2)]
     end) end},
     {duplicate_bag_order, fun() -> with(duplicate_bag, fun(T) ->
        [ets:insert(T, O) || O <- [{1, a}, {1, b}, {1, c}, {1, a}]],
        One = ets:lookup(T, 1),
        ets:insert(T, [{2, a}, {2, b}, {2, c}]),
        [One, ets:lookup(T, 2), ets:lookup_element(T, 1, 2), ets:delete_object(T, {1, a}), ets:lookup(T, 1)]
     end) end},
     {bag_lookup_element_short, fun() -> with(bag, fun(T) ->
        ets:insert(T, {1, a, b}),
        ets:insert(T, {1, a}),
        [result(fun() -> ets:lookup_element(T, 1, 3) end), ets:lookup_element(T, 1, 2)]
     end) end},
     {bag_keys_exact, fun() -> with(bag, fun(T) ->
        ets:insert(T, {1, a}),
        ets:insert(T, {1.0, a}),
        ets:insert(T, {0.0, a}),
        ets:insert(T, {-0.0, a}),
        [ets:info(T, size), ets:lookup(T, 1.0), length(ets:lookup(T, 0.0))]
     end) end}].

ordered() ->
    [{order, fun() -> with(ordered_set, fun(T) ->
        Keys = [b, 1, 2.5, "list", [], {}, {1}, #{}, #{a => 1}, <<"b">>, <<>>, a, -1, 1 bsl 70, -(1 bsl 70), 1.0e300, {a, b}, [1 | 2]],
        [ets:insert(T, {K}) || K <- Keys],
        [ets:tab2list(T), ets:first(T), ets:last(T), [ets:next(T, K) || K <- Keys], [ets:prev(T, K) || K <- Keys]]
     end) end},
     {equal_keys, fun() -> with(ordered_set, fun(T) ->
        ets:insert(T, {1, a}),
        ets:insert(T, {1.0, b}),
        [ets:tab2list(T), ets:lookup(T, 1), ets:insert_new(T, {1, c}), ets:member(T, 1), ets:update_element(T, 1, {2, d}),
         ets:tab2list(T), ets:delete(T, 1), ets:tab2list(T)]
     end) end},
     {between, fun() -> with(ordered_set, fun(T) ->
        ets:insert(T, [{N} || N <- lists:seq(0, 100, 10)]),
        [[ets:next(T, N), ets:prev(T, N)] || N <- [-1, 0, 5, 10, 99, 100, 101, 50.0, a]]
     end) end},
     {slots, fun() -> with(ordered_set, fun(T) ->
        ets:insert(T, [{N} || N <- lists:seq(1, 20)]),
        [result(fun() -> ets:slot(T, N) end) || N <- [0, 5, 19, 20, 21, -1, a]]
     end) end},
     {prefixes, fun() -> with(ordered_set, fun(T) ->
        ets:insert(T, [{{A, B}, A * B} || A <- lists:seq(1, 10), B <- lists:seq(1, 10)]),
        ets:insert(T, [{[A, B], x} || A <- [1, 2], B <- [a, b]]),
        [ets:match(T, {{3, '$1'}, '$2'}), ets:match(T, {{'$1', 3}, '$2'}), ets:match(T, {[1 | '$1'], '_'}),
         ets:select(T, [{{{4, '$1'}, '_'}, [{'>', '$1', 5}], ['$1']}]),
         ets:select(T, [{{{4, '$1'}, '_'}, [], ['$1']}, {{{6, '$1'}, '_'}, [], ['$1']}]),
         ets:select_reverse(T, [{{{4, '$1'}, '_'}, [], ['$1']}]),
         ets:select_count(T, [{{{5, '_'}, '_'}, [], [true]}]), ets:select_delete(T, [{{{5, '_'}, '_'}, [], [true]}]),
         ets:select(T, [{{{5, '_'}, '_'}, [], ['$_']}]), ets:info(T, size),
         ets:select(T, [{{{1, 1}, '_'}, [], ['$_']}, {{{9, 9}, '_'}, [], ['$_']}])]
     end) end}].

counters() ->
    Ops = [1, -1, {2, 5}, {3, 1}, {2, -50, 0, 7}, {2, 50, 10, 0}, [{2, 1}, {3, 2}], [{2, 1}, {2, 1}], [], {1, 1}, {9, 1},
           {2, 1 bsl 60}, {2, a}, foo, [{2, 1} | x], {0, 1}, {2, 1, 1}, 1 bsl 62, {3, 1, 2, 1 bsl 70}, {4, 1}, {2, 1.0},
           [{2, 1}, {4, 1}], {2, -1, a, 3}, [foo], {}, {2, -(1 bsl 80)}, [{2, 1 bsl 70}, {2, -(1 bsl 70)}]],
    [{{update_counter, Type, N}, fun() -> with(Type, fun(T) ->
        ets:insert(T, {k, 1, 10, x}),
        [result(fun() -> ets:update_counter(T, k, Op) end), ets:tab2list(T)]
      end) end} || Type <- [set, ordered_set, bag, duplicate_bag], {N, Op} <- lists:zip(lists:seq(1, length(Ops)), Ops)]
    ++ [{{update_counter_default, Type, N}, fun() -> with(Type, fun(T) ->
        [result(fun() -> ets:update_counter(T, k, Op, {z, 0, 0}) end), ets:tab2list(T),
         result(fun() -> ets:update_counter(T, k, Op, {z, 0, 0}) end), ets:tab2list(T)]
      end) end} || Type <- [set, ordered_set, bag], {N, Op} <- lists:zip(lists:seq(1, length(Ops)), Ops)]
    ++ [{update_counter_missing, fun() -> with(set, fun(T) ->
        [result(fun() -> ets:update_counter(T, k, 1) end), result(fun() -> ets:update_counter(T, k, 1, foo) end),
         result(fun() -> ets:update_counter(T, k, 1, {a, b}) end), result(fun() -> ets:update_counter(T, k, {3, 1}, {a, b}) end),
         ets:tab2list(T)]
      end) end},
      {count_up, fun() -> with(set, fun(T) ->
        ets:insert(T, {n, 0}),
        [ets:update_counter(T, n, 1) || _ <- lists:seq(1, 1000)],
        ets:lookup(T, n)
      end) end}].

elements() ->
    Specs = [{2, x}, {2, "long"}, [{2, a}, {3, b}], {1, z}, {4, z}, {0, z}, {a, b}, foo, [], [foo], [{2, a} | b], {2}, {2, 1, 3},
             [{2, a}, {1, b}], {3, 1 bsl 80}, [{2, x}, {2, y}], {-1, a}],
    [{{update_element, Type, N}, fun() -> with(Type, fun(T) ->
        ets:insert(T, {k, v, "w"}),
        [result(fun() -> ets:update_element(T, k, S) end), ets:tab2list(T), result(fun() -> ets:update_element(T, none, S) end)]
      end) end} || Type <- [set, ordered_set, bag], {N, S} <- lists:zip(lists:seq(1, length(Specs)), Specs)].

traversal() ->
    each(walk, fun(T) ->
        ets:insert(T, [{N rem 50, N} || N <- lists:seq(1, 200)]),
        Keys = walk(T, ets:first(T)),
        Back = walk_back(T, ets:last(T)),
        [lists:sort(Keys), lists:sort(Back), length(Keys)]
    end)
    ++ each(empty, fun(T) ->
        [ets:first(T), ets:last(T), result(fun() -> ets:next(T, 1) end), result(fun() -> ets:prev(T, 1) end), ets:slot(T, 0)]
    end)
    ++ [{integer_order, fun() -> with(set, fun(T) ->
        ets:insert(T, [{N} || N <- lists:seq(1, 1000)]),
        [walk(T, ets:first(T)), ets:tab2list(T), ets:match(T, {'$1'}), ets:slot(T, 3)]
     end) end},
     {atom_order, fun() -> with(set, fun(T) ->
        ets:insert(T, [{A} || A <- [a, b, c, alpha, beta, gamma, undefined, true, false, foo, bar, baz]]),
        ets:tab2list(T)
     end) end},
     {slot_errors, fun() -> with(set, fun(T) ->
        [result(fun() -> ets:slot(T, N) end) || N <- [0, 255, 256, 257, -1, a, 1.0]]
     end) end}].

walk(_, '$end_of_table') -> [];
walk(T, K) -> [K | walk(T, ets:next(T, K))].

walk_back(_, '$end_of_table') -> [];
walk_back(T, K) -> [K | walk_back(T, ets:prev(T, K))].

fixation() ->
    each(delete_while_walking, fun(T) ->
        ets:insert(T, [{N, N} || N <- lists:seq(1, 300)]),
        ets:safe_fixtable(T, true),
        Seen = walk_delete(T, ets:first(T)),
        Size = ets:info(T, size),
        Kept = case ets:info(T, stats) of S when is_tuple(S) -> element(7, S); S -> S end,
        ets:safe_fixtable(T, false),
        After = case ets:info(T, stats) of S2 when is_tuple(S2) -> element(7, S2); S2 -> S2 end,
        [lists:sort(Seen), Size, Kept, After, ets:info(T, fixed)]
    end)
    ++ each(reinsert, fun(T) ->
        ets:insert(T, [{1, a}, {2, b}, {3, c}]),
        ets:safe_fixtable(T, true),
        ets:delete(T, 2),
        A = [ets:member(T, 2), ets:lookup(T, 2), sorted(T), ets:info(T, size)],
        ets:insert(T, {2, z}),
        B = [ets:lookup(T, 2), ets:info(T, size)],
        ets:delete(T, 2),
        C = [ets:insert_new(T, {2, n}), ets:lookup(T, 2)],
        ets:safe_fixtable(T, false),
        A ++ B ++ C ++ [sorted(T)]
    end)
    ++ [{counts, fun() -> with(set, fun(T) ->
        Self = self(),
        ets:safe_fixtable(T, true),
        ets:safe_fixtable(T, true),
        {_, [{Pid, N}]} = ets:info(T, safe_fixed_monotonic_time),
        {{_, _, _}, [{Pid, N}]} = ets:info(T, safe_fixed),
        ets:safe_fixtable(T, false),
        B = ets:info(T, fixed),
        ets:safe_fixtable(T, false),
        ets:safe_fixtable(T, false),
        [Pid =:= Self, N, B, ets:info(T, fixed), ets:info(T, safe_fixed), result(fun() -> ets:safe_fixtable(T, maybe) end)]
     end) end},
     {fixer_dies, fun() -> with_options([public], fun(T) ->
        ets:insert(T, [{N} || N <- lists:seq(1, 10)]),
        {P, R} = spawn_monitor(fun() -> ets:safe_fixtable(T, true), ets:delete(T, 3) end),
        receive {'DOWN', R, process, P, Why} -> ok end,
        [Why, ets:info(T, fixed), sorted(T), element(7, ets:info(T, stats))]
     end) end}].

walk_delete(_, '$end_of_table') -> [];
walk_delete(T, K) -> ets:delete(T, K), [K | walk_delete(T, ets:next(T, K))].

owners() ->
    [{owner_dies, fun() ->
        Self = self(),
        {P, R} = spawn_monitor(fun() ->
            T = ets:new(ets_tests_dying, [named_table, public]),
            U = ets:new(x, []),
            Self ! {tables, T, U},
            receive go -> ok end
        end),
        receive {tables, T, U} -> ok end,
        Before = [ets:info(T, size), ets:info(U, size)],
        P ! go,
        receive {'DOWN', R, _, _, _} -> ok end,
        Before ++ [ets:info(T), ets:info(U), ets:whereis(T)]
     end},
     {heir, fun() ->
        Self = self(),
        {P, R} = spawn_monitor(fun() ->
            T = ets:new(x, [{heir, Self, {data, "for heir"}}]),
            ets:insert(T, {1, a}),
            exit(bye)
        end),
        receive {'DOWN', R, _, P, Why} -> ok end,
        receive
            {'ETS-TRANSFER', T, P, Data} ->
                Owner = ets:info(T, owner) =:= Self,
                Objects = ets:tab2list(T),
                ets:delete(T),
                [Why, Owner, Objects, Data]
        after 2000 -> timeout
        end
     end},
     {heir_named, fun() ->
        Self = self(),
        {P, R} = spawn_monitor(fun() -> ets:new(ets_tests_heir, [named_table, {heir, Self, immediate}]) end),
        receive {'DOWN', R, _, P, Why} -> ok end,
        receive
            {'ETS-TRANSFER', T, P, Data} -> ets:delete(T), [Why, T, Data]
        after 2000 -> timeout
        end
     end},
     {heir_dead, fun() ->
        {D, R0} = spawn_monitor(fun() -> ok end),
        receive {'DOWN', R0, _, _, _} -> ok end,
        with_options([{heir, D, x}], fun(T) -> ets:info(T, heir) end)
     end},
     {heir_none_again, fun() -> with_options([{heir, self(), x}], fun(T) ->
        H = ets:info(T, heir) =:= self(),
        ets:setopts(T, {heir, none}),
        [H, ets:info(T, heir)]
     end) end},
     {give_away, fun() ->
        Self = self(),
        T = ets:new(x, []),
        {P, R} = spawn_monitor(fun() ->
            receive {'ETS-TRANSFER', Tab, From, Gift} ->
                Self ! {got, From =:= Self, Gift, ets:info(Tab, owner) =:= self()}
            end,
            receive stop -> ok end
        end),
        ets:give_away(T, P, {gift, [1, 2]}),
        Got = receive {got, _, _, _} = M -> M after 2000 -> timeout end,
        Mine = result(fun() -> ets:insert(T, {1}) end),
        P ! stop,
        receive {'DOWN', R, _, _, _} -> ok end,
        [Got, Mine, ets:info(T)]
     end},
     {give_away_errors, fun() -> with(set, fun(T) ->
        {D, R} = spawn_monitor(fun() -> ok end),
        receive {'DOWN', R, _, _, _} -> ok end,
        [result(fun() -> ets:give_away(T, P, x) end) || P <- [self(), D, foo, 1]]
     end) end},
     {setopts, fun() ->
        Bad = [foo, {foo, bar}, [{heir, none}, {heir, none}], {heir, foo}, {heir, self()}, {protection, foo},
               [{protection, public}, {protection, private}], [{protection, public} | x], {protection}, {protection, public, 1}],
        with(set, fun(T) ->
            [result(fun() -> ets:setopts(T, O) end) || O <- Bad]
            ++ [ets:setopts(T, {protection, private}), ets:info(T, protection), ets:setopts(T, []),
                ets:setopts(T, [{protection, public}, {heir, none}]), ets:info(T, protection)]
        end)
     end},
     {public_deleter, fun() ->
        T = ets:new(x, [public]),
        {P, R} = spawn_monitor(fun() -> ets:delete(T) end),
        receive {'DOWN', R, _, P, Why} -> ok end,
        [Why, ets:info(T)]
     end},
     {all, fun() ->
        T = ets:new(x, []),
        N = ets:new(ets_tests_all, [named_table]),
        All = ets:all(),
        R = [lists:member(T, All), lists:member(N, All)],
        ets:delete(T),
        ets:delete(N),
        R ++ [lists:member(T, ets:all())]
     end}].

info() ->
    [{keys, fun() -> with(set, fun(T) -> [K || {K, _} <- ets:info(T)] end) end},
     {values, fun() -> with_options([named_table, bag, {keypos, 3}], fun(T) ->
        [{K, V} || {K, V} <- ets:info(T), not lists:member(K, [memory, id, owner])]
     end) end},
     {bad_item, fun() -> with(set, fun(T) -> [result(fun() -> ets:info(T, I) end) || I <- [foo, 1, "size"]] end) end},
     {memory, fun() -> with(set, fun(T) ->
        A = ets:info(T, memory),
        ets:insert(T, [{N, "text"} || N <- lists:seq(1, 100)]),
        B = ets:info(T, memory),
        ets:delete_all_objects(T),
        [is_integer(A), B > A, ets:info(T, memory) < B]
     end) end},
     {binary, fun() -> with(set, fun(T) ->
        ets:insert(T, {1, binary:copy(<<"x">>, 100)}),
        [{_, Size, _}] = ets:info(T, binary),
        Size
     end) end}].

selects() ->
    Objects = [{N, N rem 7, {a, N}} || N <- lists:seq(1, 40)] ++ [{atom, x, "s"}, {{k, 1}, y}, {1.5, z, [1, 2], extra}],
    Specs = [[{'_', [], ['$_']}], [{'$1', [], ['$1']}], [{{'$1', '$2', '$3'}, [], ['$$']}],
             [{{'$1', 3, '_'}, [], ['$1']}], [{{5, '$1', '$2'}, [], [{{'$2', '$1'}}]}],
             [{{'$1', '$2', {a, '$3'}}, [{'=:=', '$1', '$3'}, {'<', '$1', 10}], [['$1' | '$2']]}],
             [{{'$1', '_', '_'}, [{'orelse', {'==', '$1', 1}, {is_atom, '$1'}}], ['$_']}],
             [{{'$1', '_'}, [], ['$1']}, {{'$1', '_', '_', '_'}, [], [{const, four}]}],
             [{{1, '_', '_'}, [], [one]}, {{2, '_', '_'}, [], [two]}, {{99, '_', '_'}, [], [no]}],
             [], [{{nokey, '_'}, [], ['$_']}], [{foo, [], ['$_']}]],
    Bad = [foo, [foo], [{a, b}], [{'_', [], []}], [{'_', [], foo}], [{'_', foo, ['$_']}], [{'_', [{foo}], ['$_']}],
           [{'_', [], ['$1']}], [{'_', [], [{a, b}]}], [{'_', [], ['$_']} | x], [{#{'$1' => a}, [], ['$_']}],
           [{'_', [], [{message, a}]}], [{'_', [{is_record, a}], ['$_']}]],
    each(select, fun(T) ->
        ets:insert(T, Objects),
        [{lists:sort(ets:select(T, S)), lists:sort(ets:select_reverse(T, S)), ets:select_count(T, S)} || S <- Specs]
    end)
    ++ each(bad_select, fun(T) ->
        [[result(fun() -> ets:F(T, S) end) || F <- [select, select_reverse, select_count, select_delete, select_replace]] || S <- Bad]
        ++ [result(fun() -> ets:select(T, S, 1) end) || S <- Bad]
        ++ [result(fun() -> ets:select(T, [{'_', [], ['$_']}], L) end) || L <- [0, -1, a, 1.0]]
        ++ [result(fun() -> ets:match(T, '_', L) end) || L <- [0, a]]
    end)
    ++ each(match, fun(T) ->
        ets:insert(T, Objects),
        [{lists:sort(ets:match(T, P)), lists:sort(ets:match_object(T, P))}
         || P <- ['_', '$1', {'$1', '_', '_'}, {'$2', 3, '$1'}, {'$1', '$1', '_'}, {3, '$1', '$2'}, {'$1', '_', {a, '$1'}}, foo, {'$0', '$17'}]]
    end)
    ++ each(match_delete, fun(T) ->
        ets:insert(T, Objects),
        [ets:match_delete(T, {'_', 3, '_'}), ets:info(T, size), ets:match_delete(T, '_'), ets:info(T, size)]
    end)
    ++ [{ordered_results, fun() -> with(ordered_set, fun(T) ->
            ets:insert(T, Objects),
            [{ets:select(T, S), ets:select_reverse(T, S)} || S <- Specs]
        end) end},
        {integer_results, fun() -> with(set, fun(T) ->
            ets:insert(T, [{N, N rem 3} || N <- lists:seq(1, 600)]),
            [ets:select(T, [{{'$1', 1}, [], ['$1']}]), ets:match(T, {'$1', 2}), ets:match_object(T, {'_', 0})]
        end) end},
        {with_compiled_terms, fun() -> with(set, fun(T) ->
            ets:insert(T, [{1, "literal"}, {2, #{k => v}}]),
            [ets:select(T, [{{1, '$1'}, [], [{{"literal", '$1', #{a => '$1', b => {const, '$1'}}}}]}]),
             ets:select(T, [{{'$1', #{k => '$2'}}, [], [{{'$1', '$2'}}]}])]
        end) end}].

chunks() ->
    [{{chunk, Type, F, Limit}, fun() -> with(Type, fun(T) ->
        ets:insert(T, [{N, N rem 5} || N <- lists:seq(1, 50)]),
        Lists = chunk(F, ets:F(T, [{{'$1', '$2'}, [{'<', '$2', 3}], ['$_']}], Limit)),
        case Type of
            ordered_set -> Lists;
            _ -> lists:sort(lists:append(Lists))
        end
     end) end} || Type <- [set, ordered_set, bag, duplicate_bag], F <- [select, select_reverse], Limit <- [1, 3, 30, 31, 1000]]
    ++ [{{chunk_match, F}, fun() -> with(ordered_set, fun(T) ->
        ets:insert(T, [{N, N rem 5} || N <- lists:seq(1, 20)]),
        chunk(F, ets:F(T, {'$1', 3}, 2))
     end) end} || F <- [match, match_object]]
    ++ [{chunk_end, fun() -> [ets:select('$end_of_table'), ets:match('$end_of_table'), ets:select_reverse('$end_of_table')] end},
        {chunk_bad, fun() -> [result(fun() -> ets:select(C) end) || C <- [foo, {}, {foo}, {1, 2}, [], 1]] end},
        {chunk_bad_table, fun() -> with(set, fun(T) ->
            [result(fun() -> ets:select(C) end) || C <- [{T}, {T, 1, 2, 3, 4, 5}, {T, 0, 1, make_ref(), [], 0}]]
        end) end},
        {chunk_empty, fun() -> with(set, fun(T) -> [ets:select(T, [{'_', [], ['$_']}], 5), ets:match(T, '_', 1)] end) end},
        {chunk_key, fun() -> with(set, fun(T) -> ets:insert(T, {1, a}), ets:select(T, [{{1, '$1'}, [], ['$1']}], 5) end) end},
        {chunk_changing, fun() -> with(ordered_set, fun(T) ->
            ets:insert(T, [{N} || N <- lists:seq(1, 20)]),
            {A, C} = ets:select(T, [{'_', [], ['$_']}], 5),
            ets:delete(T, 5),
            ets:delete(T, 6),
            ets:insert(T, {5.5}),
            {B, C2} = ets:select(C),
            [A, B, is_tuple(C2), element(2, ets:select(C2)) =/= '$end_of_table']
        end) end},
        {chunk_repair, fun() -> with(ordered_set, fun(T) ->
            ets:insert(T, [{N} || N <- lists:seq(1, 9)]),
            MS = [{'_', [], ['$_']}],
            {_, C} = ets:select(T, MS, 4),
            {R, _} = ets:select(ets:repair_continuation(C, MS)),
            R
        end) end}].

chunk(_, '$end_of_table') -> [];
chunk(F, {List, Continuation}) -> [List | chunk(F, ets:F(Continuation))].

deletion() ->
    each(select_delete, fun(T) ->
        ets:insert(T, [{N, N rem 3} || N <- lists:seq(1, 100)]),
        [ets:select_delete(T, [{{'$1', 1}, [{'<', '$1', 50}], [true]}]), ets:info(T, size),
         ets:select_delete(T, [{{'_', 2}, [], [false]}]), ets:select_delete(T, [{{'_', 2}, [], [{'=:=', 1, 1}]}]),
         sorted(T), ets:select_delete(T, [{'_', [], [true]}]), ets:info(T, size)]
    end)
    ++ [{{select_replace, Type}, fun() -> with(Type, fun(T) ->
        ets:insert(T, [{N, N rem 3} || N <- lists:seq(1, 10)]),
        [result(fun() -> ets:select_replace(T, [{{'$1', 1}, [], [{{'$1', {'+', '$1', 100}}}]}]) end),
         result(fun() -> ets:select_replace(T, [{{'$1', '$2'}, [], [{{'$2', '$1'}}]}]) end),
         result(fun() -> ets:select_replace(T, [{{2, '$2'}, [], [{const, {2, "new"}}]}]) end),
         result(fun() -> ets:select_replace(T, [{{2, '$2'}, [], [{const, {3, "new"}}]}]) end),
         result(fun() -> ets:select_replace(T, [{{'$1', '_'}, [{'>', '$1', 8}], [{{{element, 1, '$_'}, big, extra}}]}]) end),
         sorted(T)]
     end) end} || Type <- [set, ordered_set, bag, duplicate_bag]]
    ++ each(delete_all, fun(T) ->
        ets:insert(T, [{N} || N <- lists:seq(1, 1000)]),
        [ets:delete_all_objects(T), ets:info(T, size), ets:tab2list(T), ets:insert(T, {1}), ets:tab2list(T)]
    end)
    ++ each(delete_all_fixed, fun(T) ->
        ets:insert(T, [{N} || N <- lists:seq(1, 100)]),
        ets:safe_fixtable(T, true),
        K = ets:first(T),
        ets:delete_all_objects(T),
        R = [ets:info(T, size), ets:next(T, K), ets:first(T)],
        ets:safe_fixtable(T, false),
        R ++ [ets:tab2list(T)]
    end).

large() ->
    each(many, fun(T) ->
        Keys = lists:seq(1, 20000),
        [ets:insert(T, {K, K * 2}) || K <- Keys],
        A = [ets:info(T, size), ets:lookup(T, 7777), lists:sum(ets:select(T, [{{'_', '$1'}, [], ['$1']}]))],
        [ets:delete(T, K) || K <- Keys, K rem 10 =/= 0],
        A ++ [ets:info(T, size), sorted(T) =:= [{K, K * 2} || K <- Keys, K rem 10 =:= 0], ets:lookup(T, 7777)]
    end)
    ++ [{shrunken_order, fun() -> with(set, fun(T) ->
        Keys = lists:seq(1, 20000),
        ets:insert(T, [{K} || K <- Keys]),
        [ets:delete(T, K) || K <- Keys, K > 300],
        [ets:tab2list(T), element(1, ets:info(T, stats))]
     end) end},
     {concurrent_counters, fun() ->
        [with_options([public | O], fun(T) ->
            ets:insert(T, {n, 0}),
            Pids = [spawn_monitor(fun() -> [ets:update_counter(T, n, 1) || _ <- lists:seq(1, 1000)] end) || _ <- lists:seq(1, 8)],
            [receive {'DOWN', R, _, _, _} -> ok end || {_, R} <- Pids],
            ets:lookup(T, n)
         end) || O <- [[], [ordered_set], [{write_concurrency, true}], [{write_concurrency, auto}, {read_concurrency, true}]]]
     end},
     {concurrent_writers, fun() ->
        [with_options([public | O], fun(T) ->
            Pids = [spawn_monitor(fun() ->
                [begin ets:insert(T, {{P, N}, N}), ets:lookup(T, {P, N - 1}) end || N <- lists:seq(1, 1000)],
                [ets:delete(T, {P, N}) || N <- lists:seq(1, 1000), N rem 2 =:= 0]
            end) || P <- lists:seq(1, 6)],
            [receive {'DOWN', R, _, _, _} -> ok end || {_, R} <- Pids],
            [ets:info(T, size), lists:sum(ets:select(T, [{{'_', '$1'}, [], ['$1']}]))]
         end) || O <- [[], [ordered_set], [{write_concurrency, true}], [bag, {write_concurrency, auto}]]]
     end}].

%% Random operations from a fixed seed, all results.
random() ->
    [{{random, Type, Seed}, fun() ->
        S0 = rand:seed_s(exsss, Seed),
        with(Type, fun(T) -> erlang:phash2(steps(T, 2000, S0, [])) end)
     end} || Type <- [set, ordered_set, bag, duplicate_bag], Seed <- [1, 2, 3]].

steps(T, 0, _, Acc) -> [sorted(T) | Acc];
steps(T, N, S, Acc) ->
    {Op, S1} = rand:uniform_s(9, S),
    {K, S2} = rand:uniform_s(200, S1),
    {V, S3} = rand:uniform_s(5, S2),
    R = case Op of
        1 -> lists:sort(ets:lookup(T, K));
        2 -> ets:delete(T, K);
        3 -> ets:delete_object(T, {K, V});
        4 -> ets:insert_new(T, {K, V});
        5 -> lists:sort(ets:take(T, K));
        6 -> ets:member(T, K);
        7 -> ets:select_count(T, [{{'_', V}, [], [true]}]);
        _ -> ets:insert(T, {K, V})
    end,
    steps(T, N - 1, S3, [R | Acc]).
