%% Maps: flat and hashed, order, updates, patterns, guards, the maps module.
-module(map_tests).
-export([tests/0, head/1]).
-compile([nowarn_deprecated_function]).

tests() ->
    [{random_updates, fun() -> seeded(1), hash([updates(rand:uniform(60)) || _ <- many(150)]) end},
     {random_large, fun() -> seeded(2), hash([updates(1500), updates(1500)]) end},
     {shape_is_unique, fun() -> seeded(3), [same_whatever_order(N) || N <- [5, 31, 32, 33, 40, 300, 3000]] end},
     {orders, fun() -> seeded(4), hash([orders(random_map(rand:uniform(50))) || _ <- many(100)]) end},
     {flat_order, fun() -> seeded(5), hash([maps:to_list(random_map(rand:uniform(20))) || _ <- many(300)]) end},
     {hashed_order, fun() -> [erlang:phash2(maps:to_list(int_map(N))) || N <- [33, 100, 1000, 20000]] end},
     {hashed_order_mixed, fun() -> seeded(6), hash([maps:keys(random_map(60 + rand:uniform(60))) || _ <- many(60)]) end},
     {print_hashed, fun() -> seeded(7), hash([io_lib:format("~p ~w ~0p", [M, M, M]) || M <- [random_map(45) || _ <- many(15)]]) end},
     {numbers_as_keys, fun() -> numbers_as_keys() end},
     {compare, fun() -> seeded(8), hash([compare(small_map(), small_map()) || _ <- many(2000)]) end},
     {compare_large, fun() -> seeded(9), hash([compare_large(random_map(50)) || _ <- many(60)]) end},
     {heads, fun() -> [head(X) || X <- [#{}, #{a => 1}, #{a => 2, b => 3}, #{b => 7}, #{1 => one}, #{1.0 => one}, #{{x} => y}, [], int_map(40), #{k => #{a => 1}}]] end},
     {bound_keys, fun() -> [bound(K, M) || K <- [a, 1, 1.0, {x}, "s", 40], M <- [#{a => 1, {x} => 2}, #{1 => a, 1.0 => b}, int_map(50), #{"s" => q}]] end},
     {guards, fun() -> [guards(X) || X <- [#{}, #{a => 1}, #{a => b}, int_map(33), a, [], 1.0, {a}]] end},
     {key_guards, fun() -> [begin R = [caught(fun() -> key_guards(id(K), id(M)) end) || _ <- many(30)], {length(lists:usort(R)), hd(R)} end || K <- [a, 1, 1.0, {x, 1}, {x, [2]}, "s", 40, #{}], M <- [#{}, #{a => 1, {x, 1} => 2}, #{1 => a, 1.0 => b, {x, [2]} => c}, int_map(50), (int_map(50))#{{x, [2]} => d, {x, 1} => e, #{} => f}, #{"s" => q, #{} => r}, a, [], {x}]] end},
     {deep_keys, fun() -> [deep_keys(Size, Depth) || Size <- [5, 20, 31, 90], Depth <- [1, 2, 4, 11, 12, 13, 30]] end},
     {exact_update, fun() -> [caught(fun() -> F(id(M)) end) || M <- [#{}, #{a => 1}, #{a => 1, b => 2}, int_map(40), x, [], {a}],
         F <- [fun(X) -> X#{a := 2} end, fun(X) -> X#{a := 3, b := 4} end, fun(X) -> X#{b := 4, c => 1} end, fun(X) -> X#{c => 1, a := 1} end,
               fun(X) -> X#{1 := 2, 2 := 3} end, fun(X) -> X#{1 := 2, 99 := 3} end]] end},
     {assoc_update, fun() -> [caught(fun() -> F(id(M)) end) || M <- [#{}, #{a => 1}, int_map(31), int_map(32), int_map(33), x, []],
         F <- [fun(X) -> X#{a => 2} end, fun(X) -> X#{1 => q, 500 => r} end, fun(X) -> X#{id(a) => 1, id(a) => 2} end, fun(X) -> maps:size(X#{1.0 => 2, 1 => 1}) end]] end},
     {big_literal, fun() -> M = big_literal(id(5)), {map_size(M), maps:get(k17, M), lists:sort(maps:to_list(M)) =:= lists:sort(maps:to_list(M#{k17 => 17})), erlang:phash2(M)} end},
     {dynamic_keys, fun() -> K = id(x), #{K := V} = #{x => 5}, M = #{K => 1, {K, K} => 2, [K] => 3}, {V, M#{{K, K} := 9}} end},
     {badmatch, fun() -> #{a := 1} = id(#{a => 2}) end},
     {badmatch_key, fun() -> #{b := _} = id(#{a => 2}) end},
     {badmap_match, fun() -> #{} = id(17) end},
     {iterators, fun() -> [iterate(M) || M <- [#{}, #{a => 1}, #{a => 1, b => 2, 3 => c}]] ++ [erlang:phash2(iterate(int_map(N))) || N <- [33, 100, 2000]] end},
     {iterator_bad, fun() -> [caught(fun() -> maps:next(X) end) || X <- [a, [], [0], none, [0 | #{}], [5 | #{a => 1}], [-1 | int_map(40)], [1 bsl 70 | int_map(40)], {a, b}, {a, 1, none}, {a, 1, x}]] end},
     {changing_sizes, fun() -> seeded(10), hash([{map_size(M), erts_debug:flat_size(M)} || M <- growing(#{}, 70, [])]) end},
     {collisions, fun() -> collisions() end},
     {nested, fun() -> M = nested(12), {erlang:phash2(M), binary_to_term(term_to_binary(M)) =:= M, M =:= nested(12), erts_debug:flat_size(M)} end},
     {keys_are_maps, fun() -> M = maps:from_list([{int_map(N), N} || N <- lists:seq(0, 45)]), {map_size(M), [maps:get(int_map(N), M) || N <- [0, 1, 32, 33, 45]], erlang:phash2(M)} end},
     {huge, fun() -> M = int_map(100000), {map_size(M), maps:get(777, M), erlang:phash2(M), lists:sum(maps:values(M)), maps:fold(fun(K, _, A) -> K + A end, 0, M),
         map_size(maps:filter(fun(K, _) -> K rem 3 =:= 0 end, M)), M =:= maps:from_list(lists:reverse(maps:to_list(M)))} end},
     {funs_as_keys, fun() -> M = #{fun lists:map/2 => 1, fun erlang:self/0 => 2}, {maps:get(fun lists:map/2, M), maps:get(fun erlang:self/0, M)} end},
     {info, fun() -> [erts_debug:flat_size(int_map(N)) || N <- [0, 1, 32, 33, 34, 64, 100, 1000]] end},
     {sent, fun() -> S = self(), M = int_map(200), spawn(fun() -> receive X -> S ! X#{1 := changed} end end) ! M, receive R -> {maps:get(1, R), map_size(R), R =:= M#{1 => changed}} end end}]
    ++ module_tests().

id(X) -> X.
many(N) -> lists:seq(1, N).
seeded(N) -> rand:seed(exsss, {N, 20, 30}).
pick(List) -> lists:nth(rand:uniform(length(List)), List).
int_map(N) -> maps:from_list([{I, I * I} || I <- lists:seq(1, N)]).
hash(List) -> {hd(List), length(List), hashes(List, max(1, length(List) div 10))}.
hashes([], _) -> [];
hashes(List, Part) when length(List) =< Part -> [erlang:phash2(List)];
hashes(List, Part) -> {A, B} = lists:split(Part, List), [erlang:phash2(A) | hashes(B, Part)].

caught(F) -> try F() catch C:R:S -> {C, R, info(S)} end.
info([{M, F, A, Extra} | _]) ->
    {M, F, if is_list(A) -> length(A); true -> A end, proplists:get_value(error_info, Extra, none), proplists:get_value(line, Extra, 0) > 0}.

%% Where atoms land in a hashed map depends on their numbers, so maps whose order is looked at have none as keys.
key() -> pick([a, b, 'a long atom', {a, rand:uniform(5)}, #{a => rand:uniform(3)} | plain_keys()]).
plain_key() -> pick(plain_keys()).
plain_keys() -> [rand:uniform(50), rand:uniform(50) * 1.0, rand:uniform(1 bsl 70), -(1 bsl 64), [], {}, {7, rand:uniform(5)}, [1 | 2], "text", <<"bin">>, <<1:3>>,
    <<(rand:uniform(99))>>, #{}, #{2 => rand:uniform(3)}, 0.0, -0.0, 1 bsl 59, 1 bsl 60, binary:copy(<<"x">>, 80), rand:uniform(9) / 7].

random_map(N) -> maps:from_list([{plain_key(), rand:uniform(9)} || _ <- many(N)] ++ [{rand:uniform(100000), I} || I <- many(N)]).
small_map() -> maps:from_list([{pick([1, 1.0, 2, 2.0, a, b, {}, 1 bsl 60]), pick([1, 1.0, 2, x])} || _ <- many(rand:uniform(4) - 1)]).

%% A map and what a list of pairs says it should be.
updates(N) -> updates(N, #{}, []).
updates(0, Map, Log) -> {map_size(Map), erlang:phash2(Map), erlang:phash2(Log)};
updates(N, Map, Log) ->
    K = key(), V = rand:uniform(100),
    {New, Note} =
        case rand:uniform(9) of
            1 -> {maps:remove(K, Map), maps:find(K, Map)};
            2 -> {Map#{K => V}, maps:is_key(K, Map)};
            3 -> {try Map#{K := V} catch error:E -> Map#{E => V} end, ok};
            4 -> {Map#{K => V, V => K, a => N}, map_size(Map)};
            5 -> {try maps:update(K, V, Map) catch error:_ -> Map end, maps:get(K, Map, none)};
            6 -> case maps:take(K, Map) of error -> {Map, error}; {Old, Less} -> {Less, Old} end;
            7 -> {maps:merge(Map, small_map()), ok};
            8 -> {maps:put(N, N, Map), ok};
            9 -> {maps:put(K, Map, small_map()), ok}
        end,
    updates(N - 1, if N rem 97 =:= 0 -> maps:merge(Map, int_map(40)); map_size(New) < 3, map_size(Map) > 3 -> maps:merge(Map, New); true -> New end, [Note | Log]).

same_whatever_order(N) ->
    Pairs = [{case I rem 3 of 0 -> {I}; 1 -> I; 2 -> <<I:32>> end, I} || I <- many(N)],
    Shuffled = [P || {_, P} <- lists:sort([{rand:uniform(), P} || P <- Pairs])],
    A = maps:from_list(Pairs), B = maps:from_list(Shuffled),
    C = lists:foldl(fun({K, V}, M) -> M#{K => V} end, #{}, Shuffled),
    D = lists:foldl(fun(I, M) -> maps:remove({extra, I}, M) end, lists:foldl(fun(I, M) -> M#{{extra, I} => I} end, A, many(200)), many(200)),
    {N, A =:= B, B =:= C, C =:= D, maps:to_list(A) =:= maps:to_list(D), erlang:phash2(A), erlang:phash2(D), erlang:phash(A, 1 bsl 32), erts_debug:flat_size(D) - erts_debug:flat_size(A)}.

orders(M) -> {maps:keys(M), maps:values(M), lists:sort(maps:keys(M)), maps:fold(fun(K, _, A) -> [K | A] end, [], M)}.

numbers_as_keys() ->
    M = #{1 => int, 1.0 => float, 0.0 => zero, -1 => neg},
    {M, maps:get(1, M), maps:get(1.0, M), maps:get(0, M, none), caught(fun() -> maps:get(-0.0, M) end), M#{1.0 := x}, #{1 => a} == #{1.0 => a},
     #{1 => a} =:= #{1.0 => a}, #{a => 1} == #{a => 1.0}, #{a => 1} =:= #{a => 1.0}, #{1 => a} < #{1.0 => a}, lists:sort([#{2.0 => a}, #{1 => a}, #{2 => a}, #{1.5 => a}]),
     (int_map(40))#{20 => 400.0} == int_map(40), maps:from_list([{1, a}, {1.0, b}, {1, c}]), 1 bsl 53 == (1 bsl 53) * 1.0}.

compare(A, B) -> {A < B, A > B, A =< B, A >= B, A == B, A /= B, A =:= B, A =/= B, {A} < {B}, [A, B] > [B, A]}.

compare_large(M) ->
    K = hd(maps:keys(M)),
    N = M#{K => 1.5}, O = maps:remove(K, M), P = O#{zzz => 1},
    [compare(A, B) || A <- [M, N, O, P], B <- [M, N, O, P]] ++ lists:sort([M, N, O, P]).

head(#{a := 1}) -> a1;
head(#{a := A, b := B}) when A < B -> {A, B};
head(#{b := 7} = M) when map_size(M) =:= 1 -> b7;
head(#{1 := X}) -> {int, X};
head(#{1.0 := X}) -> {float, X};
head(#{{x} := X}) -> {tuple, X};
head(#{k := #{a := X}}) -> {inner, X};
head(M) when M =:= #{} -> empty;
head(#{}) -> map;
head(_) -> none.

bound(K, M) -> case M of #{K := V} -> V; #{} -> none end.

key_guards(K, M) when map_get(K, M) =:= 2 -> two;
key_guards(K, M) when is_map_key(K, M), is_tuple(K) -> {tuple, map_get(K, M)};
key_guards(K, M) ->
    Is = is_map_key(K, M),
    Both = case M of #{K := _, a := _} -> both; _ -> not_both end,
    {Is, Both, map_get(K, M)}.

%% Keys that look alike but for their last leaf; every look-up is with a key made anew.
deep_keys(Size, Depth) ->
    Keys = fun() -> [deep_key(Depth, N) || N <- many(Size)] end,
    M = maps:from_list([{K, ok} || K <- Keys()]),
    Found = [is_map_key(K, M) || K <- Keys()] ++ [is_map_key(deep_key(Depth, Size + 1), M), is_map_key(deep_key(Depth + 1, 1), M)],
    Put = lists:foldl(fun(K, A) -> A#{K => again} end, #{}, Keys() ++ Keys()),
    Changed = lists:foldl(fun(K, A) -> A#{K := new} end, M, Keys()),
    Less = lists:foldl(fun maps:remove/2, M, tl(Keys())),
    {lists:usort(tl(lists:reverse(Found))), map_size(Put), Put =:= M, maps:keys(Put) =:= maps:keys(M), lists:usort(maps:values(Changed)), map_size(Less), erlang:phash2(maps:to_list(M)), erlang:phash2(lists:sort(maps:keys(M)))}.

deep_key(0, N) -> {3, N};
deep_key(Depth, N) when Depth rem 3 =:= 0 -> {5, deep_key(Depth - 1, N), Depth};
deep_key(Depth, N) when Depth rem 3 =:= 1 -> [Depth, 300, deep_key(Depth - 1, N)];
deep_key(Depth, N) -> [{Depth, <<"b">>}, 1.5 | deep_key(Depth - 1, N)].

guards(X) when is_map(X), map_size(X) > 30 -> large;
guards(X) when map_get(a, X) =:= b -> ab;
guards(X) when is_map_key(a, X) -> has_a;
guards(X) when map_size(X) =:= 0 -> empty;
guards(X) when X =:= []; is_tuple(X) -> other;
guards(X) when X#{a => 1} =:= 3; is_atom(X) -> atom;
guards(X) when not is_map(X) -> no_map.

big_literal(X) ->
    #{k1 => 1, k2 => 2, k3 => 3, k4 => 4, k5 => X, k6 => 6, k7 => 7, k8 => 8, k9 => 9, k10 => 10, k11 => 11, k12 => 12, k13 => 13, k14 => 14, k15 => 15,
      k16 => 16, k17 => 17, k18 => 18, k19 => 19, k20 => X, k21 => 21, k22 => 22, k23 => 23, k24 => 24, k25 => 25, k26 => 26, k27 => 27, k28 => 28,
      k29 => 29, k30 => 30, k31 => 31, k32 => 32, k33 => 33, k34 => 34, {k, X} => 35, X => 36}.

iterate(M) -> steps(maps:next(maps:iterator(M)), []).
steps(none, Acc) -> lists:reverse(Acc);
steps({K, V, Next}, Acc) -> steps(maps:next(Next), [{K, V} | Acc]).

growing(_, 0, Acc) -> Acc;
growing(M, N, Acc) -> New = M#{plain_key() => N, N => N}, growing(New, N - 1, [New | Acc]).

%% Keys whose hashes agree in many bits are found by looking for them.
collisions() ->
    Keys = [K || K <- lists:seq(1, 200000), erlang:phash2(K) rem 65536 =:= 0],
    M = maps:from_list([{K, x} || K <- Keys]),
    {length(Keys), map_size(M), lists:all(fun(K) -> maps:get(K, M) =:= x end, Keys), maps:is_key(-1, M), map_size(lists:foldl(fun maps:remove/2, M, tl(Keys)))}.

nested(0) -> #{};
nested(N) -> #{N => nested(N - 1), {N} => [nested(N div 3)], a => N}.

module_tests() ->
    F2 = fun(K, V) -> {K, V} end, F3 = fun(K, A, B) -> {K, A, B} end, Odd = fun(_, V) -> V rem 2 =:= 1 end,
    M = #{a => 1, b => 2, c => 3}, N = #{b => 20, d => 40}, B = int_map(40),
    Calls = [{filter, [Odd, M]}, {filter, [Odd, x]}, {filter, [x, M]}, {filter, [fun(_, _) -> 1 end, M]}, {filtermap, [fun(_, V) when V > 2 -> true; (_, 1) -> {true, one}; (_, _) -> false end, M]},
        {filtermap, [Odd, []]}, {find, [a, M]}, {find, [z, M]}, {find, [a, x]}, {fold, [fun(K, V, A) -> [{K, V} | A] end, [], M]}, {fold, [F2, [], M]}, {fold, [F3, [], x]}, {foreach, [F2, M]},
        {foreach, [F2, 1]}, {from_keys, [[a, b, a], 0]}, {from_keys, [[a | b], 0]}, {from_keys, [x, 0]}, {from_keys, [lists:seq(1, 40), []]}, {from_list, [[{a, 1}, {a, 2}]]}, {from_list, [[{a, 1} | x]]}, {from_list, [[{a}]]},
        {from_list, [foo]}, {from_list, [[a]]}, {get, [a, M]}, {get, [z, M]}, {get, [a, 5]}, {get, [z, M, d]}, {get, [z, 5, d]}, {groups_from_list, [fun(X) -> X rem 2 end, [1, 2, 3]]},
        {groups_from_list, [fun(X) -> X rem 2 end, fun(X) -> X * 2 end, [1, 2, 3]]}, {groups_from_list, [x, [1]]}, {intersect, [M, N]}, {intersect, [M, x]}, {intersect, [B, int_map(3)]}, {intersect_with, [F3, M, N]}, {intersect_with, [F2, M, N]},
        {is_key, [a, M]}, {is_key, [a, x]}, {iterator, [M]}, {iterator, [x]}, {keys, [M]}, {keys, [x]}, {map, [F2, M]}, {map, [F3, M]}, {map, [F2, x]}, {merge, [M, N]}, {merge, [N, M]}, {merge, [M, x]}, {merge, [x, M]}, {merge, [1, 2]}, {merge, [B, M]},
        {merge, [M, B]}, {merge_with, [F3, M, N]}, {merge_with, [F3, M, x]}, {merge_with, [x, M, N]}, {merge_with, [F3, B, #{3 => x, q => 1}]}, {new, []}, {put, [z, 1, M]}, {put, [z, 1, x]}, {remove, [a, M]}, {remove, [z, M]}, {remove, [a, x]}, {size, [M]}, {size, [x]},
        {take, [a, M]}, {take, [z, M]}, {take, [a, x]}, {to_list, [M]}, {to_list, [x]}, {to_list, [maps:iterator(M)]}, {update, [a, 9, M]}, {update, [z, 9, M]}, {update, [a, 9, x]}, {update_with, [a, fun(V) -> V + 1 end, M]},
        {update_with, [z, fun(V) -> V + 1 end, M]}, {update_with, [z, fun(V) -> V + 1 end, 0, M]}, {update_with, [a, x, M]}, {update_with, [a, fun(V) -> V end, x]}, {values, [M]}, {values, [x]}, {with, [[a, z], M]}, {with, [a, M]}, {with, [[a | b], M]}, {with, [[a], x]},
        {with, [[1, 2, 99], B]}, {without, [[a, z], M]}, {without, [a, M]}, {without, [[a], x]}, {without, [lists:seq(1, 38), B]}],
    [{{maps, Function, Row}, fun() -> called(maps, Function, Arguments) end} || {Row, {Function, Arguments}} <- lists:zip(lists:seq(1, length(Calls)), Calls)] ++
    [{{erlang, Function, Row}, fun() -> called(erlang, Function, Arguments) end} || {Row, {Function, Arguments}} <- [{1, {map_size, [x]}}, {2, {map_get, [z, M]}}, {3, {map_get, [a, x]}}, {4, {is_map_key, [a, x]}}, {5, {map_get, [a, M]}}]].

called(M, F, A) ->
    try apply(M, F, A) catch C:R:S -> {C, R, info(S), message(C, R, S)} end.

message(Class, Reason, Stack) ->
    Text = unicode:characters_to_binary(erl_error:format_exception(Class, Reason, [hd(Stack)])),
    hd(binary:split(Text, <<"\n    in ">>)).
