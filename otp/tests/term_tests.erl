%% Order and equality of all terms, hashes, printing, external format, sizes, tuples, list BIFs.
-module(term_tests).
-export([tests/0]).
-compile([nowarn_deprecated_function]).

tests() ->
    [{order, fun() -> T = zoo(), [[order(A, B) || B <- T] || A <- T] end},
     {order_random, fun() -> seeded(1), hash([order(term(3), term(3)) || _ <- many(2500)]) end},
     {order_similar, fun() -> seeded(2), hash([begin T = term(3), order(T, tweak(T)) end || _ <- many(2500)]) end},
     {sort_random, fun() -> seeded(3), hash([begin L = [term(2) || _ <- many(15)], {lists:sort(L), lists:usort(L), lists:keysort(1, [{X} || X <- L])} end || _ <- many(150)]) end},
     {order_deep, fun() -> B = [1, 2, 1.0, a, b, {b}, [c], #{}, #{1 => 1}, <<"x">>], hash([order(deep(W, N, X), deep(W, N, Y)) || W <- [tuple, head, list, tail, value, key, mixed], N <- [1, 2, 5, 9, 10, 11, 12, 13, 14, 15, 60], X <- B, Y <- B]) end},
     {order_at_depths, fun() -> hash([order(deep(V, N, 1), deep(W, M, 1)) || V <- [tuple, head, list, tail, value, key, mixed], W <- [tuple, head, list, tail, value, key, mixed], N <- [1, 11, 12, 13, 14], M <- [1, 11, 12, 13]]) end},
     {improper_order, fun() -> [order(A, B) || A <- [[1 | 2], [1, 2], [1], [1 | 1.0], [a | b]], B <- [[1 | 2], [1 | [2]], [1.0 | 2], [1 | 3], [a | c]]] end},
     {phash2, fun() -> seeded(4), hash([{erlang:phash2(T), erlang:phash2(T, 1000), erlang:phash2(T, 1 bsl 32)} || T <- terms(2000)]) end},
     {phash, fun() -> seeded(5), hash([{erlang:phash(T, 1 bsl 32), erlang:phash(T, 17)} || T <- terms(1500)]) end},
     {hash_zoo, fun() -> [{T, erlang:phash2(T), erlang:phash(T, 1 bsl 32)} || T <- zoo()] end},
     {hash_errors, fun() -> [caught(F) || F <- [fun() -> erlang:phash2(a, 0) end, fun() -> erlang:phash2(a, (1 bsl 32) + 1) end, fun() -> erlang:phash2(a, x) end, fun() -> erlang:phash(a, 0) end, fun() -> erlang:phash(a, 1 bsl 33) end, fun() -> erlang:phash(a, b) end]] end},
     {print, fun() -> [{io_lib:format("~w", [T]), io_lib:format("~p", [T]), io_lib:format("~tp", [T]), io_lib:format("~tw", [T])} || T <- zoo(), not external_identity(T)] end},
     {print_random, fun() -> seeded(6), hash([lists:flatten(io_lib:format("~w|~p|~0p|~40p|~tp|~P|~W", [T, T, T, T, T, T, 6, T, 6])) || T <- [term(2) || _ <- many(50)]]) end},
     {print_atoms, fun() -> [{A, io_lib:format("~p ~w ~ts", [A, A, A]), atom_to_list(A), atom_to_binary(A)} || A <- [a, 'A', 'hello world', 'don\'t', '', 'åä', 'ж', 'a@b', 'a.b', 'when', 'and', 'new\nline', '_x', aB_1, 'é', '\x{1F600}', 'ÿ', '1a']] end},
     {print_strings, fun() -> [io_lib:format(F, [S]) || F <- ["~p", "~w", "~tp", "~s", "~ts"], S <- ["plain", "tab\tnl\n\"q\"\\", [7, 27, 127], "åäö", [160], ""]] ++ [io_lib:format("~tp", [[1046, 8364]]), io_lib:format("~p", [[1046, 8364]]), io_lib:format("~p", [[a | "tail"]])] end},
     {print_binaries, fun() -> [io_lib:format(F, [S]) || F <- ["~p", "~w", "~tp"], S <- [<<"plain">>, <<"q\"\n">>, <<0, 1, 2>>, <<"åäö"/utf8>>, <<"åäö">>, <<1:3>>, <<"ab", 1:1>>, <<>>, <<255, 254>>]] end},
     {print_depth, fun() -> T = {a, [b, {c, #{d => [e, f, {g}]}}], <<"binary that is long">>, "string"}, [io_lib:format(F, [T, N]) || F <- ["~P", "~W", "~tP"], N <- [-1, 0, 1, 2, 3, 5, 8, 13]] end},
     {print_width, fun() -> T = [{list_to_atom("key" ++ integer_to_list(I)), lists:seq(1, I)} || I <- many(12)], [io_lib:format("~" ++ integer_to_list(W) ++ "p", [T]) || W <- [10, 30, 60, 132]] end},
     {print_columns, fun() -> [io_lib:format(F, A) || {F, A} <- [{"~10s|", ["abc"]}, {"~-10s|", ["abc"]}, {"~10.2s|", ["abc"]}, {"~5w|", [123456]}, {"~*s|", [6, "ab"]}, {"~10..0b", [42]}, {"~.16b ~.2B", [255, 5]}, {"~.16x|~.8#", [31, "0x", 9]}, {"~e ~f ~g", [1.5, 1.5, 1.5]}, {"~.3e|~.3f|~.4g", [1.2345e10, 2.0005, 1.0e-9]}, {"~12.4f|~-12.4f|", [3.14159, 2.71828]}, {"~c~5c~3.2c", [$a, $b, $c]}, {"~tc", [1046]}, {"~i~w", [skipped, shown]}, {"~~~n", []}, {"~10w|~-10w|", [{a}, [b]]}, {"~5s", ["toolong"]}]] end},
     {print_errors, fun() -> [caught(fun() -> io_lib:format(F, A) end) || {F, A} <- [{"~w", []}, {"~w", [a, b]}, {"~q", [a]}, {"~s", [a]}, {"~s", [1]}, {"~s", [[1046]]}, {"~d", [1]}, {"~f", [x]}, {"~.40b", [1]}, {"~c", [a]}, {x, []}, {"~", [1]}]] end},
     {external_random, fun() -> seeded(7), hash([external(T) || T <- terms(1500)]) end},
     {external_zoo, fun() -> [{T, external(T)} || T <- zoo()] end},
     {external_compressed, fun() -> [byte_size(term_to_binary(T, [{compressed, L}])) || T <- [lists:seq(1, 3000), lists:duplicate(5000, abc), binary:copy(<<"pattern">>, 1000), "short", a], L <- [0, 1, 6, 9]] end},
     {external_sizes, fun() -> [{erlang:external_size(T), erlang:external_size(T, [{minor_version, 0}]), iolist_size(term_to_iovec(T))} || T <- zoo()] end},
     {external_bad_options, fun() -> [caught(fun() -> term_to_binary(a, O) end) || O <- [x, [x], [{compressed, 10}], [{compressed, -1}], [{minor_version, 3}], [{minor_version, a}], [deterministic | x]]] ++ [caught(fun() -> binary_to_term(B, O) end) || {B, O} <- [{<<131, 97, 1>>, [x]}, {<<131, 97, 1>>, x}, {a, []}, {<<131, 97, 1:7>>, []}, {<<131, 97, 1>>, [used, safe]}, {<<131, 97, 1, 99>>, [used]}, {<<131, 97, 1, 99>>, []}]] end},
     {external_safe, fun() -> [caught(fun() -> binary_to_term(B, [safe]) end) || B <- [<<131, 119, 19, "no such atom, I hope">>, <<131, 119, 5, "lists">>, <<131, 100, 0, 5, "lists">>, <<131, 113, 119, 5, "lists", 119, 3, "map", 97, 2>>, <<131, 113, 119, 5, "lists", 119, 3, "map", 97, 77>>, term_to_binary(fun lists:map/2)]] end},
     {external_old_forms, fun() -> [caught(fun() -> {T, U} = binary_to_term(B, [used]), {T, U, term_to_binary(T)} end) || B <- [<<131, 99, "1.50000000000000000000e+00", 0:40>>, <<131, 100, 1:16, 228>>, <<131, 115, 2, 228, $a>>, <<131, 103, 100, 1:16, "x", 1:32, 2:32, 1>>, <<131, 102, 100, 1:16, "x", 7:32, 1>>, <<131, 101, 100, 1:16, "x", 7:32, 1>>, <<131, 110, 1, 0, 5>>, <<131, 110, 0, 0>>, <<131, 110, 3, 1, 0, 0, 0>>,
         <<131, 111, 9:32, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9>>, <<131, 98, -5:32>>, <<131, 104, 0>>, <<131, 105, 1:32, 97, 1>>, <<131, 108, 0:32, 97, 1>>, <<131, 108, 1:32, 97, 1, 97, 2>>, <<131, 107, 0:16>>, <<131, 77, 1:32, 3, 160>>, <<131, 77, 1:32, 3, 255>>, <<131, 77, 0:32, 0>>, <<131, 77, 2:32, 0, 1, 2>>, <<131, 70, 16#7FF0000000000000:64>>, <<131, 116, 2:32, 97, 1, 97, 1, 97, 1, 97, 2>>, <<131, 80, 5:32, 0>>, <<131>>, <<>>, <<130, 97, 1>>, <<131, 255>>]] end},
     {deterministic, fun() -> M = maps:from_list([{I, I * I} || I <- many(50)]), A = term_to_binary(M, [deterministic]), N = maps:from_list([{I, I * I} || I <- lists:reverse(many(50))]), {A =:= term_to_binary(N, [deterministic]), erlang:md5(A), term_to_binary(#{b => 1, a => 2, 3 => x}, [deterministic])} end},
     {flat_size, fun() -> [{T, erts_debug:flat_size(T)} || T <- zoo()] end},
     {size_shared, fun() -> L = many(10), T = {L, L, [L | L]}, {erts_debug:size(T), erts_debug:flat_size(T), erts_debug:size_shared(T)} end},
     {size_random, fun() -> seeded(8), hash([erts_debug:flat_size(T) || T <- terms(1500)]) end},
     {term_types, fun() -> [erts_internal:term_type(T) || T <- zoo()] end},
     {tuples, fun() -> [called(M, F, A) || {M, F, A} <- tuple_calls()] end},
     {list_bifs, fun() -> [called(M, F, A) || {M, F, A} <- list_calls()] end},
     {conversions, fun() -> [called(erlang, F, A) || {F, A} <- conversion_calls()] end},
     {lists_bif_random, fun() -> seeded(9), hash([lists_bifs([rand:uniform(20) || _ <- many(rand:uniform(30))], [rand:uniform(20) || _ <- many(rand:uniform(10))]) || _ <- many(800)]) end},
     {subtract_large, fun() -> seeded(10), A = [rand:uniform(5000) || _ <- many(20000)], B = [rand:uniform(6000) || _ <- many(15000)], R = A -- B, {length(R), erlang:phash2(R), erlang:phash2(A -- [x | B]), length([1.0, 1, 1] -- [1])} end},
     {append_improper, fun() -> [caught(fun() -> A ++ B end) || A <- [[], [1], [1 | 2], a, <<>>], B <- [[], [2], 3, {x}]] end},
     {apply_funs, fun() -> [{F =:= G, F == G, F < G, erlang:phash2(F)} || F <- [fun lists:map/2, fun lists:foldl/3], G <- [fun lists:map/2, fun erlang:self/0]] end},
     {deep, fun() -> D = deep(100000, []), {D =:= deep(100000, []), D < deep(100000, [x]), erlang:phash2(D), byte_size(term_to_binary(D)), binary_to_term(term_to_binary(D)) =:= D, erts_debug:flat_size(D)} end},
     {deep_tuple, fun() -> D = lists:foldl(fun(I, A) -> {I, A} end, {}, many(100000)), {D == binary_to_term(term_to_binary(D, [compressed])), erlang:phash2(D), erlang:phash(D, 1 bsl 32), D =< D} end}].

many(N) -> lists:seq(1, N).
seeded(N) -> rand:seed(exsss, {N, 5, 6}).
pick(List) -> lists:nth(rand:uniform(length(List)), List).
terms(N) -> [term(3) || _ <- many(N)].
hash(List) -> {hd(List), length(List), hashes(List, max(1, length(List) div 10))}.
hashes([], _) -> [];
hashes(List, Part) when length(List) =< Part -> [erlang:phash2(List)];
hashes(List, Part) -> {A, B} = lists:split(Part, List), [erlang:phash2(A) | hashes(B, Part)].
caught(F) -> try F() catch C:R:S -> {C, R, info(S)} end.
info([{M, F, A, Extra} | _]) -> {M, F, if is_list(A) -> length(A); true -> A end, proplists:get_value(error_info, Extra, none)}.
called(M, F, A) -> try {F, apply(M, F, A)} catch C:R:S -> {M, F, A, C, R, info(S), message(C, R, S)} end.
message(C, R, [{M, F, A, Extra} | _]) ->
    Text = unicode:characters_to_binary(erl_error:format_exception(C, R, [{M, F, A, [X || {error_info, _} = X <- Extra]}])),
    hd(binary:split(Text, <<"\n    in ">>)).

zoo() ->
    [0, 1, -1, 255, 256, 65536, 1 bsl 31, -(1 bsl 31), -(1 bsl 31) - 1, 1 bsl 59, 1 bsl 64, -(1 bsl 70), 1 bsl 2048, 0.0, -0.0, 1.0, 1.5, -1.0e100, a, 'B c', '', 'ж', true, [], [1], [1, 2], [a | b], "string", [300, 1], "", lists:seq(1, 300),
     {}, {1}, {a, b}, {1.0}, {a, {b, [c]}}, <<>>, <<1>>, <<"binary">>, <<1:1>>, <<"bits", 5:3>>, binary:copy(<<"large">>, 20), #{}, #{a => 1}, #{1 => a}, #{1.0 => a}, #{b => 1, a => 2}, #{{x} => [y]}, maps:from_list([{I, I} || I <- many(33)]), fun lists:map/2, fun erlang:node/0,
     list_to_pid("<0.5.0>"), binary_to_term(<<131, 88, 119, 3, "n@h", 5:32, 6:32, 7:32>>), binary_to_term(<<131, 90, 3:16, 119, 3, "n@h", 5:32, 6:32, 7:32, 8:32>>), binary_to_term(<<131, 89, 119, 3, "n@h", 5:32, 6:32>>), binary_to_term(<<131, 120, 119, 3, "n@h", 5:64, 6:32>>)].

%% These are printed with a number that the VM gave the node.
external_identity(T) -> (is_pid(T) orelse is_reference(T) orelse is_port(T)) andalso node(T) =/= node().

term(0) -> pick([rand:uniform(256) - 1, -rand:uniform(1000), rand:uniform(1 bsl 40), rand:uniform(1 bsl 80), -rand:uniform(1 bsl 130), rand:normal(), 1.0, 1, -0.0, float(rand:uniform(100)), a, b, 'long atom', [], {}, #{}, <<(rand:uniform(255))>>, rand:bytes(rand:uniform(100)), <<(rand:uniform(99)):11>>, "text", fun lists:map/2]);
term(Depth) ->
    case rand:uniform(7) of
        1 -> [term(Depth - 1) || _ <- many(rand:uniform(4))];
        2 -> list_to_tuple([term(Depth - 1) || _ <- many(rand:uniform(4))]);
        3 -> maps:from_list([{term(Depth - 1), term(Depth - 1)} || _ <- many(rand:uniform(3))]);
        4 -> [term(Depth - 1) | term(Depth - 1)];
        5 -> maps:from_list([{I, I} || I <- many(20 + rand:uniform(20))]);
        _ -> term(0)
    end.

tweak(I) when is_integer(I) -> pick([I + 1, float(I rem 1000), I]);
tweak(F) when is_float(F) -> pick([trunc(F), F + 1.0, -F]);
tweak([H | T]) -> pick([[tweak(H) | T], [H | tweak(T)], T]);
tweak(T) when tuple_size(T) > 0 -> I = rand:uniform(tuple_size(T)), setelement(I, T, tweak(element(I, T)));
tweak(M) when map_size(M) > 0 -> K = hd(lists:sort(maps:keys(M))), pick([M#{K := tweak(maps:get(K, M))}, maps:remove(K, M), (maps:remove(K, M))#{tweak(K) => 1}]);
tweak(B) when is_binary(B) -> pick([<<B/binary, 0:1>>, <<B/binary, 1>>, B]);
tweak(T) -> pick([T, T, [T]]).

order(A, B) -> {A < B, A =< B, A == B, A =:= B, A > B, A >= B, A /= B, A =/= B, max(A, B) =:= A, min(A, B) =:= A}.

%% Terms of N levels that differ at the bottom only.
deep(_, 0, X) -> X;
deep(tuple, N, X) -> {N, deep(tuple, N - 1, X), N};
deep(head, N, X) -> [deep(head, N - 1, X), N];
deep(list, N, X) -> [N, a, deep(list, N - 1, X)];
deep(tail, N, X) -> [N | deep(tail, N - 1, X)];
deep(value, N, X) -> #{1 => N, k => deep(value, N - 1, X)};
deep(key, N, X) -> #{deep(key, N - 1, X) => N};
deep(mixed, N, X) ->
    Below = deep(mixed, N - 1, X),
    case N rem 4 of 0 -> {<<N>>, Below}; 1 -> [Below | N]; 2 -> #{1.5 => Below, N => 1}; 3 -> [{N, Below}, {N, Below}] end.

external(T) ->
    B = term_to_binary(T),
    [erlang:phash2(B), erlang:phash2(term_to_binary(T, [{minor_version, 0}])), erlang:phash2(term_to_binary(T, [{minor_version, 1}])), erlang:phash2(term_to_binary(T, [deterministic])), binary_to_term(B) =:= T, binary_to_term(term_to_binary(T, [compressed])) =:= T,
     binary_to_term(term_to_binary(T, [{minor_version, 0}])) =:= T, erlang:phash2(term_to_binary(T, [compressed])), erlang:external_size(T), iolist_to_binary(term_to_iovec(T)) =:= B, byte_size(B)].

deep(0, A) -> A;
deep(N, A) -> deep(N - 1, [A]).

tuple_calls() ->
    [{erlang, F, A} || {F, A} <- [{element, [1, {a}]}, {element, [0, {a}]}, {element, [2, {a}]}, {element, [a, {a}]}, {element, [1, a]}, {element, [1 bsl 70, {a}]}, {setelement, [1, {a}, b]}, {setelement, [2, {a}, b]}, {setelement, [0, {}, b]}, {setelement, [1, x, b]}, {setelement, [x, {a}, b]},
        {make_tuple, [3, x]}, {make_tuple, [0, x]}, {make_tuple, [-1, x]}, {make_tuple, [a, x]}, {make_tuple, [1 bsl 26, x]}, {make_tuple, [3, d, [{1, a}, {3, b}, {1, c}]]}, {make_tuple, [3, d, [{4, a}]]}, {make_tuple, [3, d, [x]]}, {make_tuple, [3, d, x]}, {append_element, [{a}, b]}, {append_element, [x, b]},
        {insert_element, [1, {a}, z]}, {insert_element, [2, {a}, z]}, {insert_element, [3, {a}, z]}, {insert_element, [0, {a}, z]}, {insert_element, [1, a, z]}, {delete_element, [1, {a, b}]}, {delete_element, [3, {a, b}]}, {delete_element, [0, {a}]}, {delete_element, [1, a]}, {delete_element, [1, {}]},
        {tuple_size, [{a, b}]}, {tuple_size, [a]}, {size, [{a}]}, {size, [<<1, 2>>]}, {size, [a]}, {tuple_to_list, [{a, b}]}, {tuple_to_list, [a]}, {list_to_tuple, [[a, b]]}, {list_to_tuple, [[a | b]]}, {list_to_tuple, [a]}]].

list_calls() ->
    [{lists, F, A} || {F, A} <- [{reverse, [[1, 2 | 3]]}, {reverse, [[1, 2], [3]]}, {reverse, [[1, 2], x]}, {reverse, [a]}, {reverse, [a, []]}, {reverse, [[1 | 2], []]}, {member, [1, [1 | 2]]}, {member, [2, [1 | 2]]}, {member, [1, a]}, {member, [1.0, [1]]}, {keyfind, [1, 1, [{2}, {1}]]}, {keyfind, [1, 2, [{1}, x, {a, 1}]]}, {keyfind, [1, 0, []]},
        {keyfind, [1, 1, a]}, {keyfind, [1, 1, [{2} | x]]}, {keyfind, [1.0, 1, [{1}]]}, {keymember, [1, 1, [{1}]]}, {keymember, [1, a, [{1}]]}, {keymember, [1, 1, [{2} | y]]}, {keysearch, [1, 1, [{1, x}]]}, {keysearch, [3, 1, [{1, x}]]}, {keysearch, [1, -1, []]}, {keyfind, [1, 1 bsl 70, [{1}]]}, {nth, [3, [1, 2]]}, {nth, [0, [1]]}, {last, [[]]}, {seq, [1, 5, 0]}, {seq, [5, 1]}, {seq, [1, 10, 3]}, {zip, [[1], [1, 2]]}, {sum, [[a]]}, {max, [[]]}, {nthtail, [3, [1]]}, {sublist, [[1, 2, 3], 2, 5]}, {duplicate, [-1, a]}, {split, [5, [1]]}, {flatten, [[1, [2 | 3]]]}]] ++
    [{erlang, F, A} || {F, A} <- [{hd, [[]]}, {hd, [a]}, {tl, [[]]}, {tl, [[1 | 2]]}, {tl, [a]}, {length, [[1 | 2]]}, {length, [a]}, {length, [[1, 2]]}, {'++', [[1], [2]]}, {'++', [a, [2]]}, {'++', [[1 | 2], [3]]}, {'--', [[1, 2, 1], [1]]}, {'--', [a, []]}, {'--', [[], a]}, {'--', [[1 | 2], [1]]}, {'--', [[1], [1 | 2]]}]].

conversion_calls() ->
    [{atom_to_list, [1]}, {list_to_atom, ["abc"]}, {list_to_atom, [[1046]]}, {list_to_atom, [[a]]}, {list_to_atom, [lists:duplicate(256, $a)]}, {list_to_atom, [[-1]]}, {list_to_atom, [[16#D800]]}, {list_to_atom, [abc]}, {list_to_existing_atom, ["no such atom whatsoever"]}, {list_to_existing_atom, ["lists"]}, {binary_to_atom, [<<"x">>, utf8]}, {binary_to_atom, [<<"\x{1046}"/utf8>>]}, {binary_to_atom, [<<200>>, utf8]}, {binary_to_atom, [binary:copy(<<"a">>, 256)]},
     {atom_to_binary, [a, latin1]}, {atom_to_binary, ['ж', latin1]}, {atom_to_binary, [1]}, {atom_to_binary, [a, x]}, {list_to_pid, ["<0.1.0>"]}, {list_to_pid, ["<0.1>"]}, {list_to_pid, [a]}, {pid_to_list, [a]}, {list_to_ref, ["#Ref<0.1.2.3>"]}, {list_to_ref, ["x"]}, {ref_to_list, [a]}, {list_to_port, ["#Port<0.1>"]}, {list_to_port, ["x"]}, {port_to_list, [x]}, {fun_to_list, [x]}, {fun_to_list, [fun lists:map/2]}, {fun_info, [fun lists:map/2]}, {fun_info, [x]}, {fun_info, [fun lists:map/2, nope]},
     {integer_to_list, [a]}, {float_to_list, [1]}, {list_to_integer, ["a"]}, {list_to_float, ["1"]}, {is_function, [fun lists:map/2, 2]}, {is_function, [fun lists:map/2, -1]}, {is_function, [a, b]}, {is_record, [{a, 1}, a]}, {is_record, [{a, 1}, a, 2]}, {is_record, [{a, 1}, a, x]}, {is_record, [{a, 1}, 1]}, {is_record, [x, a, -1]}, {abs, [a]}, {float, [a]}, {round, [a]}, {trunc, ["x"]}, {'not', [1]}, {'and', [true, 1]}, {'or', [x, true]}, {'xor', [true, false]}, {'xor', [1, false]}, {make_fun, [lists, map, 2]}, {make_fun, [lists, map, -1]}, {make_fun, [1, map, 2]}, {make_fun, [lists, map, 256]}].

lists_bifs(A, B) ->
    T = [{X, Y} || X <- A, Y <- lists:sublist(B, 2)],
    [A -- B, A ++ B, lists:reverse(A, B), lists:member(hd(B), A), lists:keyfind(hd(B), 1, T), lists:keysort(2, T), lists:usort(A), lists:merge(lists:sort(A), lists:sort(B)), lists:keymember(21, 2, T), lists:ukeymerge(1, lists:ukeysort(1, T), lists:ukeysort(1, T)), lists:zip(A, A), lists:unzip(T), lists:umerge(lists:usort(A), lists:usort(B)), lists:subtract(A, B), lists:rkeymerge(1, [], T), lists:partition(fun(X) -> X > 10 end, A), lists:splitwith(fun(X) -> X < 10 end, A), lists:mapfoldl(fun(X, Acc) -> {X * Acc, X + Acc} end, 1, A), lists:sort(fun(X, Y) -> X > Y end, A), lists:flatten([A, [B | A]])].
