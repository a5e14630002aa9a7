%% Bit syntax and the binary module, with random sizes and values.
-module(bits_tests).
-export([tests/0]).
-compile([nowarn_deprecated_function]).

tests() ->
    [{construct_integers, fun() -> seeded(1), hash([construct_integer() || _ <- many(3000)]) end},
     {match_integers, fun() -> seeded(2), hash([match_integer() || _ <- many(3000)]) end},
     {fixed_integers, fun() -> seeded(3), hash([fixed_integers(rand:bytes(40), O) || O <- lists:seq(0, 17), _ <- many(20)]) end},
     {floats, fun() -> seeded(4), [float_case(F) || F <- floats()] end},
     {random_floats, fun() -> seeded(5), hash([float_bits(rand:bytes(8)) || _ <- many(1500)]) end},
     {all_half_floats, fun() -> hash([half(N) || N <- lists:seq(0, 65535, 7)]) end},
     {utf8_all, fun() -> hash([utf(C) || C <- lists:seq(0, 16#110FFF, 97)]) end},
     {utf8_edges, fun() -> [{C, utf(C)} || C <- [0, 127, 128, 2047, 2048, 16#D7FF, 16#D800, 16#DFFF, 16#E000, 16#FFFE, 16#FFFF,
          16#10000, 16#10FFFF, 16#110000, -1, a, 1 bsl 70]] end},
     {utf_bad_input, fun() -> seeded(6), hash([utf_input(rand:bytes(rand:uniform(9))) || _ <- many(4000)]) end},
     {utf8_matrix, fun() -> hash([utf_input(<<A, B, 16#80, 16#80>>) || A <- lists:seq(16#7E, 255), B <- [0, 16#7F, 16#80, 16#8F, 16#90, 16#9F, 16#A0, 16#BF, 16#C0]]) end},
     {segment_binaries, fun() -> seeded(7), hash([segment_binary() || _ <- many(3000)]) end},
     {appends, fun() -> seeded(8), hash([append_chain(<<>>, 60) || _ <- many(40)]) end},
     {append_shared, fun() -> append_shared() end},
     {append_bits, fun() -> seeded(9), hash([append_bits() || _ <- many(100)]) end},
     {comprehensions, fun() -> seeded(10), hash([comprehensions(rand:bytes(rand:uniform(40))) || _ <- many(300)]) end},
     {comprehension_bits, fun() -> [<< <<X:3>> || X <- [1, 2, 3, 9] >>, << <<B:1>> || <<B:1>> <= <<16#A5>>, B =:= 1 >>,
          [X || <<X:5>> <= <<1, 2, 3, 4>>], [X || <<X:3, _:2>> <= <<255, 0:7>>], << <<X/utf8>> || X <- "aж€𝄞" >>] end},
     {comprehension_error, fun() -> << <<X:8>> || X <- [1, id(a)] >> end},
     {comprehension_generator, fun() -> [X || <<X>> <= id([1])] end},
     {unaligned, fun() -> seeded(11), hash([unaligned() || _ <- many(1500)]) end},
     {sizes, fun() -> [size_case(S) || S <- [0, 1, 7, 8, 9, 64, -1, 1 bsl 62, 1 bsl 64, -(1 bsl 70), a, 1.0]] end},
     {context_reuse, fun() -> hash(tokens(<<"abc 123, +5 'x' \"str\" ", 1:3>>, [])) end},
     {skip, fun() -> seeded(12), hash([skip(rand:bytes(20), rand:uniform(180) - 1) || _ <- many(500)]) end},
     {strings, fun() -> [string_case(B) || B <- [<<"abcdef">>, <<"abc">>, <<"abd">>, <<0:4, "abc">>, <<"abcdef", 1:1>>, abc]] end},
     {heads, fun() -> [head(B) || B <- [<<>>, <<1>>, <<2, 3>>, <<255:7>>, <<1:1, 2:15>>, <<0, 1:32, 5>>, <<0, 9:32, 5>>, x, <<3:2>>]] end}]
    ++ construct_errors() ++ module_tests() ++ random_module_tests().

id(X) -> X.
many(N) -> lists:seq(1, N).
seeded(N) -> rand:seed(exsss, {N, 2, 3}).
pick(List) -> lists:nth(rand:uniform(length(List)), List).

%% A hash of each tenth of the list, and the first element: enough to see where something differs.
hash(List) ->
    Part = max(1, length(List) div 10),
    {hd(List), length(List), hashes(List, Part)}.
hashes([], _) -> [];
hashes(List, Part) when length(List) =< Part -> [erlang:phash2(List)];
hashes(List, Part) ->
    {Front, Back} = lists:split(Part, List),
    [erlang:phash2(Front) | hashes(Back, Part)].

caught(F) -> try F() catch C:R:S -> {C, R, info(S)} end.
info([{M, F, A, Extra} | _]) ->
    {M, F, if is_list(A) -> length(A); true -> A end, proplists:get_value(error_info, Extra, none)};
info(Other) -> Other.

integer() ->
    Sign = pick([1, -1]),
    Sign * pick([0, 1, rand:uniform(256), rand:uniform(1 bsl 16), rand:uniform(1 bsl 32), 1 bsl 59, (1 bsl 60) - 1, 1 bsl 63,
        1 bsl 64, (1 bsl 64) - 1, rand:uniform(1 bsl 62), rand:uniform(1 bsl 64), rand:uniform(1 bsl 130), (1 bsl 200) + 1]).

construct_integer() ->
    V = integer(), W = integer(), S = rand:uniform(150) - 1, T = rand:uniform(70) - 1,
    [<<V:S>>, <<W:T, V:S>>, <<W:T/little, V:S/little>>, <<V:S/native-signed, W:T>>, <<1:1, V:T/little, 1:1>>, <<V:T/unit:3>>,
     <<V, W>>, <<V:16, W:24/little>>, <<V:32/little, W:64>>, <<V:64/little, W:128>>, <<V:12, W:20>>, <<5:3, V:64/little, W:13>>].

match_integer() ->
    B = rand:bytes(30), S = rand:uniform(100) - 1, O = rand:uniform(40) - 1,
    <<_:O, A:S, _/bits>> = B,
    <<_:O, C:S/little, _/bits>> = B,
    <<_:O, D:S/signed, _/bits>> = B,
    <<_:O, E:S/little-signed, _/bits>> = B,
    Units = case B of <<_:O, U:S/unit:7, R/bits>> -> {U, bit_size(R)}; _ -> none end,
    {S, O, A, C, D, E, Units, <<A:S>> =:= <<D:S>>, <<C:S/little>> =:= <<E:S/little>>}.

fixed_integers(Bytes, Offset) ->
    <<_:Offset, A:8, B:16, C:32, D:64, _/bits>> = Bytes,
    <<_:Offset, E:8/signed, F:16/signed-little, G:32/signed-little, H:64/signed-little, _/bits>> = Bytes,
    <<_:Offset, I:4, J:12, K:24/little, L:40/signed, M:56/little-signed, N:60, O:68/signed, _/bits>> = Bytes,
    <<_:Offset, P:16/little, Q:32/little, R:64/little, S:128/little-signed, _/bits>> = Bytes,
    <<_:Offset, T:3, U:5/signed, V:7/little, W:9/little, X:1, Y:33/little, _/bits>> = Bytes,
    {A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y}.

floats() ->
    [0.0, -0.0, 1.0, -1.5, 65504.0, 65519.9, 65520.0, 65536.0, 1.0e-7, 5.96046448e-8, 2.9802322e-8, 2.98e-8, 6.1e-5, 3.4028234e38,
     3.4028236e38, 3.5e38, -3.5e38, 1.0e-45, 1.0e-46, 1.7976931348623157e308, 5.0e-324, 2.2250738585072014e-308, 0.1, 1.0e300,
     1, 0, -7, 65504, 65520, 1 bsl 53, (1 bsl 53) + 1, 1 bsl 127, 1 bsl 128, 1 bsl 1023, 1 bsl 1024, a, "x", <<>>].

float_case(F) ->
    {F, [caught(fun() -> Make(F) end) || Make <- [
        fun(V) -> <<V:16/float>> end, fun(V) -> <<V:32/float>> end, fun(V) -> <<V:64/float>> end, fun(V) -> <<V/float>> end,
        fun(V) -> <<V:16/float-little>> end, fun(V) -> <<V:32/float-little>> end, fun(V) -> <<V:64/float-little>> end,
        fun(V) -> <<1:3, V:32/float, 1:5>> end, fun(V) -> <<1:3, V:16/float-native, 1:5>> end,
        fun(V) -> S = id(17), <<V:S/float>> end, fun(V) -> S = id(4), <<V:S/float-unit:8>> end,
        fun(V) -> S = id(0), <<V:S/float>> end]]}.

float_bits(B) ->
    [case B of <<F:64/float>> -> F; _ -> no end, case B of <<F:64/float-little>> -> F; _ -> no end,
     case B of <<F:32/float, _/bits>> -> F; _ -> no end, case B of <<_:3, F:32/float-little, _/bits>> -> F; _ -> no end,
     case B of <<F:16/float, _/bits>> -> {F, <<F:16/float>>}; _ -> no end,
     case B of <<_:5, F:16/float-little, _/bits>> -> F; _ -> no end,
     [case B of <<F:S/float, R/bits>> -> {F, R}; _ -> no end || S <- [0, 16, 24, 32, 64, 65]]].

half(N) ->
    case <<N:16>> of
        <<F:16/float>> -> {F, <<F:16/float>>};
        _ -> none
    end.

utf(C) ->
    [caught(fun() -> <<C/utf8>> end), caught(fun() -> <<C/utf16>> end), caught(fun() -> <<C/utf16-little>> end),
     caught(fun() -> <<C/utf32>> end), caught(fun() -> <<C/utf32-little>> end), caught(fun() -> <<1:1, C/utf8, C/utf16>> end)].

utf_input(B) ->
    [case B of <<C/utf8, R/bits>> -> {C, R}; _ -> no end, case B of <<C/utf16, R/bits>> -> {C, R}; _ -> no end,
     case B of <<C/utf16-little, R/bits>> -> {C, R}; _ -> no end, case B of <<C/utf32, R/bits>> -> {C, R}; _ -> no end,
     case B of <<C/utf32-little, R/bits>> -> {C, R}; _ -> no end, case B of <<_/utf8, C/utf8, R/bits>> -> {C, R}; _ -> no end,
     case <<5:3, B/binary>> of <<_:3, C/utf8, R/bits>> -> {C, R}; _ -> no end,
     case B of <<_/utf16, R/bits>> -> R; _ -> no end].

segment_binary() ->
    A = rand:bytes(rand:uniform(90)), N = rand:uniform(120) - 1, Bits = <<A/binary, (rand:uniform(8) - 1):3>>,
    [caught(fun() -> <<A:N/binary>> end), caught(fun() -> <<A:N/bits>> end), caught(fun() -> <<Bits:N/bits, A/binary>> end),
     caught(fun() -> <<1:1, A:N/binary, Bits/bits>> end), caught(fun() -> <<Bits/binary>> end),
     caught(fun() -> <<Bits:N/binary-unit:3>> end),
     case A of <<X:N/binary, R/binary>> -> {X, R}; _ -> no end, case Bits of <<X:N/bits, R/bits>> -> {X, R}; _ -> no end,
     case Bits of <<_:5, X:N/binary, R/bits>> -> {X, bit_size(R)}; _ -> no end,
     case Bits of <<X:N/binary-unit:4, R/binary-unit:3>> -> {X, R}; _ -> no end,
     case Bits of <<_:2, R/binary-unit:5>> -> R; _ -> no end].

append_chain(B, 0) -> {byte_size(B), erlang:phash2(B)};
append_chain(B, N) ->
    V = integer(),
    Next =
        case rand:uniform(5) of
            1 -> <<B/binary, V:16>>;
            2 -> <<B/binary, (rand:bytes(N))/binary>>;
            3 -> <<B/binary, "literal", V:32/little>>;
            4 -> C = <<B/binary, 1>>, D = <<B/binary, 2>>, <<C/binary, D/binary>>;
            5 -> <<B/binary, V/float>>
        end,
    append_chain(if byte_size(Next) > 5000 -> binary:part(Next, 100, 50); true -> Next end, N - 1).

append_shared() ->
    A = <<(id(<<"base">>))/binary, 1, 2, 3>>,
    B = <<A/binary, 10>>, C = <<A/binary, 20>>, D = <<B/binary, 30>>, E = <<B/binary, 40>>, F = <<A/binary, 50:4>>,
    G = <<F/bits, 15:4>>, H = <<F/bits, 3:4>>,
    Self = self(),
    spawn(fun() -> Self ! {grown, <<D/binary, "far">>} end),
    Grown = receive {grown, X} -> X end,
    {A, B, C, D, E, F, G, H, Grown, <<D/binary, "near">>, D}.

append_bits() ->
    lists:foldl(fun(_, B) -> S = rand:uniform(20) - 1, V = integer(), <<B/bits, V:S>> end, <<>>, many(50)).

comprehensions(B) ->
    [<< <<(X + 1)>> || <<X>> <= B >>, << <<X:4>> || <<X:3>> <= B >>, [X || <<X:16/little-signed>> <= B],
     << <<X/bits, 1:1>> || <<X:5/bits>> <= B >>, [{X, Y} || <<X:4, Y:4>> <= B, X < Y], << <<X/float>> || X <- binary_to_list(B), X > 9 >>,
     [[X, Y] || <<X>> <= B, <<Y:7>> <= <<X, 1>>], << <<X:Y>> || <<X:12, Y:4>> <= B >>, [C || <<C/utf8>> <= B],
     << <<F/float>> || <<F:16/float>> <= B >>, << <<Y/binary>> || <<N:2, Y:N/binary, _:6>> <= B >>].

unaligned() ->
    B = rand:bytes(40), O = rand:uniform(70) - 1, S = rand:uniform(200) - 1,
    <<_:O, X:S/bits, R/bits>> = B,
    Y = <<0:O, X/bits>>,
    <<_:O, Z/bits>> = Y,
    {X, X =:= Z, X < R, R < X, bit_size(X), byte_size(X), erlang:phash2(X), erlang:phash2(Z), binary_to_term(term_to_binary(X)) =:= Z,
     bitstring_to_list(X), list_to_bitstring([X]), list_to_bitstring([1, X]) =:= <<1, X/bits>>, catch erlang:md5(X),
     catch erlang:crc32(X), caught(fun() -> iolist_size([X]) end), erlang:phash(X, 1 bsl 32), X == Z, #{X => 1} =:= #{Z => 1}}.

size_case(S) ->
    {S, [caught(F) || F <- [
        fun() -> <<1:S>> end, fun() -> <<1:S/little>> end, fun() -> <<"abc":S>> end, fun() -> <<(<<"abcdefghijklm">>):S/binary>> end,
        fun() -> <<(<<"abcdefghijklm">>):S/bits>> end, fun() -> <<1.0:S/float>> end, fun() -> <<1:S/unit:256>> end, fun() -> <<0:4, 1:S>> end,
        fun() -> B = id(<<1:70>>), <<B/bits, 1:S>> end,
        fun() -> case id(<<1:80>>) of <<X:S, _/bits>> -> X; _ -> no end end,
        fun() -> case id(<<1:80>>) of <<X:S/binary, _/bits>> -> X; _ -> no end end,
        fun() -> case id(<<1:80>>) of <<_:S, X/bits>> -> X; _ -> no end end,
        fun() -> case id(<<1:80>>) of <<X:S/float, _/bits>> -> X; _ -> no end end,
        fun() -> <<X:S>> = id(<<1:80>>), X end,
        fun() -> [X || S =/= 0, <<X:S>> <= id(<<1:80>>)] end]]}.

tokens(<<C, R/bits>>, A) when C >= $0, C =< $9 -> number(R, C - $0, A);
tokens(<<C, R/bits>>, A) when C >= $a, C =< $z -> word(R, [C], A);
tokens(<<" ", R/bits>>, A) -> tokens(R, A);
tokens(<<"\"", R/bits>>, A) -> [S, Rest] = binary:split(R, <<"\"">>), tokens(Rest, [S | A]);
tokens(<<C, R/bits>>, A) -> tokens(R, [C | A]);
tokens(R, A) -> [R | A].
number(<<C, R/bits>>, N, A) when C >= $0, C =< $9 -> number(R, N * 10 + C - $0, A);
number(R, N, A) -> tokens(R, [N | A]).
word(<<C, R/bits>>, W, A) when C >= $a, C =< $z -> word(R, [C | W], A);
word(R, W, A) -> tokens(R, [lists:reverse(W), R | A]).

skip(B, N) ->
    [case B of <<_:N, X:3, _/bits>> -> X; _ -> no end, case B of <<_:N/binary, X/bits>> -> X; _ -> no end,
     case B of <<X:N/bits, _:8/bits-unit:1, _/bits>> -> X; _ -> no end, case B of <<_:N, _:1, Y/binary>> -> Y; _ -> no end].

string_case(<<"abcdef", R/bits>>) -> {abcdef, R};
string_case(<<"abc", X:1>>) -> {abc, X};
string_case(<<"abc">>) -> abc;
string_case(<<0:4, "abc", R/bits>>) -> {shifted, R};
string_case(<<"ab", _/bits>>) -> ab;
string_case(_) -> other.

head(<<>>) -> empty;
head(<<1:1, X:15>>) -> {bits, X};
head(<<0, N:32, R:N/binary>>) -> {sized, R};
head(<<0, N:32, R/binary>>) when N > byte_size(R) -> {short, N - byte_size(R)};
head(<<X>>) -> {one, X};
head(<<X:8, Y:8>>) when X + 1 =:= Y -> {two, X, Y};
head(<<X:7>>) -> {seven, X};
head(B) when is_bitstring(B), bit_size(B) < 8 -> {few, B};
head(B) when is_binary(B) -> binary;
head(_) -> none.

construct_errors() ->
    Bad = [a, 1.5, [], "ab", <<1:1>>, <<"bin">>, -1, 1 bsl 70, {}, #{}],
    Segments = [{integer, fun(V) -> <<V>> end}, {integer_size, fun(V) -> <<1:V>> end}, {binary, fun(V) -> <<V/binary>> end},
        {bits, fun(V) -> <<V/bits>> end}, {binary_size, fun(V) -> <<(id(<<"xyz">>)):V/binary>> end}, {float, fun(V) -> <<V/float>> end},
        {utf8, fun(V) -> <<V/utf8>> end}, {utf16, fun(V) -> <<V/utf16>> end}, {utf32, fun(V) -> <<V/utf32>> end},
        {append, fun(V) -> <<V/binary, 1, 2>> end}, {append_bits, fun(V) -> <<V/bits, 1:3>> end},
        {second, fun(V) -> <<1, V/binary, 3:4>> end}, {third, fun(V) -> <<1, (id(<<"a">>))/binary, V:16>> end}],
    [{{construct, Name}, fun() -> [construct_error(F, V) || V <- Bad] end} || {Name, F} <- Segments].

construct_error(F, V) ->
    try F(V) catch C:R:S -> {C, R, info(S), message(C, R, S)} end.

%% What erl_error makes of it, without the lines that depend on the file.
message(Class, Reason, Stack) ->
    Text = unicode:characters_to_binary(erl_error:format_exception(Class, Reason, [hd(Stack)])),
    hd(binary:split(Text, <<"\n    in ">>)).

module_tests() ->
    Calls = [
        {at, [<<"abc">>, 1]}, {at, [<<"abc">>, 3]}, {at, [<<"abc">>, -1]}, {at, [<<1:9>>, 0]}, {at, [<<"abc">>, a]}, {at, [abc, 0]},
        {first, [<<"abc">>]}, {first, [<<>>]}, {first, [<<1:3>>]}, {first, [a]}, {last, [<<"abc">>]}, {last, [<<>>]}, {last, [x]},
        {bin_to_list, [<<"abc">>]}, {bin_to_list, [<<"abc">>, {1, 2}]}, {bin_to_list, [<<"abc">>, {3, -2}]}, {bin_to_list, [<<"abc">>, 2, 5]},
        {bin_to_list, [<<"abc">>, 1, 1]}, {bin_to_list, [<<1:2>>]}, {bin_to_list, [<<"abc">>, {a, b}]}, {list_to_bin, [[1, [2, <<3>>]]]},
        {list_to_bin, [[a]]}, {list_to_bin, [<<1>>]}, {copy, [<<"ab">>]}, {copy, [<<"ab">>, 3]}, {copy, [<<"ab">>, 0]}, {copy, [<<"ab">>, -1]},
        {copy, [<<"ab">>, a]}, {copy, [<<1:2>>, 2]}, {copy, [<<"ab">>, 1 bsl 70]}, {decode_unsigned, [<<1, 2>>]}, {decode_unsigned, [<<>>]},
        {decode_unsigned, [<<1, 2>>, little]}, {decode_unsigned, [<<1:9>>]}, {decode_unsigned, [<<1>>, middle]}, {encode_unsigned, [258]},
        {encode_unsigned, [258, little]}, {encode_unsigned, [0]}, {encode_unsigned, [-1]}, {encode_unsigned, [1 bsl 100, little]},
        {encode_unsigned, [a]}, {encode_unsigned, [5, huge]}, {longest_common_prefix, [[<<"abc">>, <<"abd">>]]}, {longest_common_prefix, [[<<"a">>]]},
        {longest_common_prefix, [[]]}, {longest_common_prefix, [[a]]}, {longest_common_suffix, [[<<"xabc">>, <<"yabc">>]]},
        {longest_common_suffix, [[<<"erlang">>, <<"fang">>, <<>>]]}, {longest_common_suffix, [foo]}, {match, [<<"abcabc">>, <<"bc">>]},
        {match, [<<"abc">>, []]}, {match, [<<"abc">>, <<>>]}, {match, [<<"abc">>, [<<"b">>, <<>>]]}, {match, [<<"abc">>, [<<"bc">>, <<"b">>]]},
        {match, [<<"abcabc">>, <<"c">>, [{scope, {3, 3}}]]}, {match, [<<"abcabc">>, <<"a">>, [{scope, {6, -3}}]]}, {match, [<<"abc">>, <<"a">>, [{scope, {4, 1}}]]},
        {match, [<<"abc">>, <<"a">>, [foo]]}, {match, [<<"abc">>, a]}, {match, [<<1:4>>, <<"a">>]}, {match, [<<"abc">>, <<1:4>>]}, {matches, [<<"abcabc">>, <<"c">>]},
        {matches, [<<"abcde">>, [<<"bcde">>, <<"cd">>]]}, {matches, [<<"aaaa">>, <<"aa">>]}, {matches, [<<"abc">>, <<"x">>]}, {matches, [<<>>, <<"x">>]},
        {matches, [<<"abcde">>, [<<"bc">>, <<"bcd">>, <<"b">>, <<"e">>]]}, {matches, [a, <<"x">>]}, {part, [<<"abcde">>, {1, 3}]}, {part, [<<"abcde">>, {5, -2}]},
        {part, [<<"abcde">>, 5, 0]}, {part, [<<"abcde">>, 6, 0]}, {part, [<<"abcde">>, 1, -2]}, {part, [<<"abcde">>, {-1, 1}]}, {part, [<<"a">>, {a, 1}]},
        {part, [<<"a">>, 0, 1 bsl 70]}, {part, [<<1:5>>, 0, 0]}, {part, [a, 1, 2]}, {part, [<<"abcde">>, 1]}, {referenced_byte_size, [<<"abc">>]}, {referenced_byte_size, [a]},
        {referenced_byte_size, [<<1:4>>]}, {replace, [<<"abcabc">>, <<"b">>, <<"X">>]}, {replace, [<<"abcabc">>, <<"b">>, <<"XY">>, [global]]},
        {replace, [<<"abcabc">>, [<<"b">>, <<"c">>], <<"[]">>, [global, {insert_replaced, 1}]]}, {replace, [<<"abcb">>, <<"b">>, <<"--">>, [global, {insert_replaced, [1, 1, 0]}]]},
        {replace, [<<"abcabc">>, <<"b">>, <<"x">>, [{insert_replaced, 5}]]}, {replace, [<<"ab">>, <<"b">>, x]}, {replace, [<<"ab">>, <<"b">>, <<"x">>, [{scope, {0, 1}}]]},
        {replace, [<<"ab">>, <<>>, <<"x">>]}, {replace, [<<"aXbX">>, <<"X">>, fun(B) -> <<B/binary, B/binary>> end, [global]]}, {split, [<<"a,b,c">>, <<",">>]}, {split, [<<"a,b,c">>, <<",">>, [global]]},
        {split, [<<",a,,b,">>, <<",">>, [global, trim]]}, {split, [<<",a,,b,">>, <<",">>, [global, trim_all]]}, {split, [<<",">>, <<",">>, [trim_all]]}, {split, [<<"a,b;c">>, [<<",">>, <<";">>], [global]]},
        {split, [<<"a,b">>, <<",">>, [bad]]}, {split, [<<"abc">>, []]}, {split, [<<"a,b,c">>, <<",">>, [{scope, {2, 3}}, global]]}, {split, [<<>>, <<",">>]}, {split, [<<>>, <<",">>, [trim]]},
        {compile_pattern, [<<>>]}, {compile_pattern, [[]]}, {compile_pattern, [a]}, {compile_pattern, [[<<"a">>, b]]}, {compile_pattern, [<<1:2>>]},
        {encode_hex, [<<1, 171>>]}, {encode_hex, [<<1, 171>>, lowercase]}, {decode_hex, [<<"01aB">>]}, {decode_hex, [<<"01a">>]}, {decode_hex, [<<"0g">>]}, {encode_hex, [a]}, {decode_hex, [1]},
        {nope, []}],
    [{{binary, Function, Row}, fun() -> called(binary, Function, Arguments) end}
        || {Row, {Function, Arguments}} <- lists:zip(lists:seq(1, length(Calls)), Calls)] ++
    [{{erlang, Function, Row}, fun() -> called(erlang, Function, Arguments) end} || {Row, {Function, Arguments}} <- lists:zip(lists:seq(1, length(bifs())), bifs())].

bifs() ->
    [{binary_part, [<<"abc">>, 1, 1]}, {binary_part, [<<"abc">>, {1, 9}]}, {split_binary, [<<"abc">>, 2]}, {split_binary, [<<"abc">>, 4]}, {split_binary, [<<"abc", 1:3>>, 2]}, {split_binary, [<<"abc">>, -1]},
     {binary_to_list, [<<"abc">>, 2, 3]}, {binary_to_list, [<<"abc">>, 0, 3]}, {binary_to_list, [<<"abc">>, 3, 2]}, {binary_to_list, [<<"abc">>, 1, 4]}, {binary_to_list, [<<1:4>>]},
     {list_to_binary, [[1, 2 | <<3>>]]}, {list_to_binary, [[256]]}, {list_to_binary, [[1 | 2]]}, {list_to_binary, [[<<1:3>>]]}, {list_to_bitstring, [[1, <<1:3>>, <<2:2>>]]}, {list_to_bitstring, [[a]]},
     {iolist_to_binary, [[1, [<<2>>, "abc"]]]}, {iolist_to_binary, [<<1:1>>]}, {iolist_to_binary, [a]}, {iolist_size, [[1, [<<2>>, "abc"] | <<"t">>]]}, {iolist_size, [[-1]]}, {iolist_to_iovec, [[1, [<<2>>, "abc"] | <<"t">>]]},
     {iolist_to_iovec, [a]}, {bit_size, [<<1:13>>]}, {bit_size, [a]}, {byte_size, [<<1:13>>]}, {byte_size, [[]]}, {bitstring_to_list, [<<1, 2:3>>]}, {bitstring_to_list, [x]},
     {binary_to_integer, [<<"-0012">>]}, {binary_to_integer, [<<"+">>]}, {binary_to_integer, [<<"zZ">>, 36]}, {binary_to_integer, [<<"12">>, 37]}, {binary_to_float, [<<"1.5e3">>]}, {binary_to_float, [<<"1e3">>]},
     {binary_to_atom, [<<"abc">>]}, {binary_to_atom, [<<255>>]}, {binary_to_atom, [<<255>>, latin1]}, {binary_to_existing_atom, [<<"no such atom at all">>]}, {binary_to_atom, [<<"a">>, foo]},
     {crc32, [<<"abc">>]}, {crc32, [5, ["a", <<"b">>]]}, {crc32, [-1, "a"]}, {crc32_combine, [1, 2, 3]}, {adler32, ["abc"]}, {adler32, [a]}, {adler32_combine, [1, 2, 3]}, {md5, ["abc"]}, {md5, [a]}].

called(M, F, A) ->
    try apply(M, F, A) catch C:R:S -> {C, R, info(S), message(C, R, S)} end.

random_module_tests() ->
    [{random_matches, fun() -> seeded(20), hash([matches() || _ <- many(1500)]) end},
     {random_split, fun() -> seeded(21), hash([split() || _ <- many(800)]) end},
     {random_parts, fun() -> seeded(22), hash([parts() || _ <- many(1500)]) end},
     {compiled, fun() -> P = binary:compile_pattern([<<"ab">>, <<"b">>, <<"cab">>]),
         [binary:matches(B, P) || B <- [<<"abcab">>, <<"cabbage">>, <<>>, <<"b">>]] end},
     {long_search, fun() -> seeded(23), B = << <<(text(9))/binary>> || _ <- many(4000) >>,
         [length(binary:matches(B, N)) || N <- [<<"ab">>, <<"aab">>, [<<"aa">>, <<"bb">>, <<"cabc">>], <<"abcabcabc">>]] end},
     {iolists, fun() -> seeded(24), hash([caught(fun() -> L = iolist(4), {iolist_size(L), iolist_to_binary(L), erlang:iolist_to_iovec(L)} end) || _ <- many(800)]) end},
     {referenced, fun() -> B = binary:copy(<<"abcdefgh">>, 100), <<_:10/binary, P:70/binary, _/binary>> = B,
         {binary:referenced_byte_size(P), binary:referenced_byte_size(binary:copy(P)), byte_size(B)} end}].

text(N) -> << <<(rand:uniform(3) + $a - 1)>> || _ <- many(rand:uniform(N)) >>.

matches() ->
    B = text(60), P = pick([text(3), [text(3), text(4)], [text(1), text(2), text(5)]]), S = rand:uniform(60) - 1, L = rand:uniform(80) - 40,
    [binary:match(B, P), binary:matches(B, P), caught(fun() -> binary:matches(B, P, [{scope, {S, L}}]) end),
     caught(fun() -> binary:match(B, P, [{scope, {S, L}}]) end), binary:replace(B, P, <<"<>">>, [global, {insert_replaced, 1}])].

split() ->
    B = text(40), P = text(2),
    [binary:split(B, P, O) || O <- [[], [global], [global, trim], [global, trim_all], [trim], [trim_all]]].

parts() ->
    B = rand:bytes(rand:uniform(100)), S = rand:uniform(110) - 1, L = rand:uniform(120) - 60,
    [caught(fun() -> F(B, S, L) end) || F <- [fun binary:part/3, fun binary:bin_to_list/3, fun(X, P, N) -> binary_part(X, {P, N}) end,
        fun(X, P, N) -> binary:longest_common_prefix([X, <<(binary:part(X, 0, P))/binary, N>>]) end, fun(X, P, _) -> split_binary(X, P) end]] ++
    [binary:decode_unsigned(B), binary:decode_unsigned(B, little), binary:encode_unsigned(binary:decode_unsigned(B)),
     binary:encode_unsigned(binary:decode_unsigned(B), little), binary:encode_hex(B), erlang:crc32(B), erlang:adler32(B), erlang:md5(B)].

iolist(0) -> pick([<<"bin">>, [], 7, binary:copy(<<"long">>, 30)]);
iolist(N) ->
    case rand:uniform(9) of
        1 -> [iolist(N - 1) | <<"tail">>];
        2 -> pick([<<1:3>>, 256, a, -1, 65]);
        _ -> [iolist(N - 1) || _ <- many(rand:uniform(4))]
    end.
