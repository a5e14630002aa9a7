%% unicode, string and printing of text in all encodings, with good, incomplete and bad input.
-module(unicode_tests).
-export([tests/0]).
-compile([nowarn_deprecated_function]).

tests() ->
    [{to_binary, fun() -> [{T, I, O, caught(fun() -> unicode:characters_to_binary(T, I, O) end)} || T <- texts(), I <- [utf8, latin1], O <- encodings()] end},
     {to_list, fun() -> [{T, I, caught(fun() -> unicode:characters_to_list(T, I) end)} || T <- texts(), I <- encodings()] end},
     {one_argument, fun() -> [{T, caught(fun() -> unicode:characters_to_binary(T) end), caught(fun() -> unicode:characters_to_list(T) end)} || T <- texts()] end},
     {random_bytes, fun() -> seeded(1), hash([[caught(fun() -> F(rand_bytes(8)) end) || F <- [fun(B) -> unicode:characters_to_list(B, E) end || E <- encodings()] ++ [fun(B) -> unicode:characters_to_binary(B, E, utf8) end || E <- encodings()]] || _ <- many(400)]) end},
     {random_nested, fun() -> seeded(2), hash([begin T = nested(4), {caught(fun() -> unicode:characters_to_binary(T) end), caught(fun() -> unicode:characters_to_list(T) end), caught(fun() -> unicode:characters_to_binary(T, latin1, utf16) end)} end || _ <- many(600)]) end},
     {round_trips, fun() -> seeded(3), hash([begin T = text(30), [unicode:characters_to_list(unicode:characters_to_binary(T, utf8, E), E) =:= T || E <- tl(encodings())] end || _ <- many(200)]) end},
     {large, fun() -> T = lists:duplicate(20000, [$a, 1046, 16#1F600]), B = unicode:characters_to_binary(T), {byte_size(B), erlang:phash2(unicode:characters_to_list(B)), byte_size(unicode:characters_to_binary(T, utf8, {utf16, little})), unicode:characters_to_binary([B, <<255>>]) =:= {error, B, <<255>>}} end},
     {split_anywhere, fun() -> B = <<"aж€𝄞"/utf8>>, [begin <<X:N/binary, Y/binary>> = B, {unicode:characters_to_list(X), unicode:characters_to_list([X, Y]), unicode:characters_to_binary([X | Y], utf8, utf32)} end || N <- lists:seq(0, byte_size(B))] end},
     {bom, fun() -> [unicode:bom_to_encoding(B) || B <- [<<239, 187, 191, 1>>, <<254, 255>>, <<255, 254>>, <<255, 254, 0, 0>>, <<0, 0, 254, 255>>, <<"abc">>]] ++ [unicode:encoding_to_bom(E) || E <- encodings()] end},
     {normal_forms, fun() -> [{T, unicode:characters_to_nfc_list(T), unicode:characters_to_nfd_list(T), unicode:characters_to_nfkc_list(T), unicode:characters_to_nfkd_list(T), unicode:characters_to_nfc_binary(T), unicode:characters_to_nfd_binary(T)} || T <- good_texts()] end},
     {normal_random, fun() -> seeded(4), hash([begin T = text(20), {unicode:characters_to_nfc_list(T), unicode:characters_to_nfkd_binary(T)} end || _ <- many(300)]) end},
     {normal_errors, fun() -> [caught(fun() -> F(T) end) || F <- [fun unicode:characters_to_nfc_list/1, fun unicode:characters_to_nfd_binary/1], T <- [<<255>>, [a], x, [-1], [16#D800]]] end},
     {bad_arguments, fun() -> [caught(F) || F <- [fun() -> unicode:characters_to_list(a) end, fun() -> unicode:characters_to_list([a]) end, fun() -> unicode:characters_to_list("a", foo) end, fun() -> unicode:characters_to_binary("a", utf8, foo) end, fun() -> unicode:characters_to_binary(1) end, fun() -> unicode:characters_to_list([1 | 2]) end,
         fun() -> unicode:characters_to_list(<<1:3>>) end, fun() -> unicode:characters_to_binary([<<1:3>>]) end, fun() -> unicode:characters_to_list([-1]) end, fun() -> unicode:characters_to_list([1.0]) end, fun() -> unicode:characters_to_binary([1 bsl 70]) end, fun() -> unicode:bin_is_7bit(a) end, fun() -> unicode:bin_is_7bit(<<"a">>) end, fun() -> unicode:bin_is_7bit(<<200>>) end]] end},
     {string_functions, fun() -> [{F, [caught(fun() -> apply(string, F, [T | A]) end) || T <- good_texts()]} || {F, A} <- one_text()] end},
     {string_two, fun() -> [{F, [caught(fun() -> apply(string, F, [T | A]) end) || T <- ["hello world", <<"hello world">>, "éa éb", [<<"hel">>, "lo"], ""]]} || {F, A} <- two_text()] end},
     {string_random, fun() -> seeded(5), hash([begin T = text(15), U = text(2), {string:length(T), string:uppercase(T), string:lowercase(T), string:casefold(T), string:reverse(T), string:split(T, U, all), string:find(T, U), string:lexemes(T, U), string:to_graphemes(T), string:trim(T), string:titlecase(T), string:pad(T, 20, both, $*), string:slice(T, 2, 5), string:equal(T, U, true, nfc)} end || _ <- many(400)]) end},
     {graphemes, fun() -> [{T, string:to_graphemes(T), string:length(T), string:next_grapheme(T), string:next_codepoint(T)} || T <- [[$e, 16#301, $x], [16#1F468, 16#200D, 16#1F469, 16#200D, 16#1F467], [16#1F1E9, 16#1F1EA, 16#1F1EB], "\r\n", [16#1100, 16#1161, 16#11A8], <<"e\x{301}"/utf8>>, [16#1F44D, 16#1F3FD], ""]] end},
     {old_string, fun() -> [string:tokens("a,b;c", ",;"), string:strip("  a "), string:strip("xxaxx", both, $x), string:substr("hello", 2, 3), string:str("abcabc", "bc"), string:rstr("abcabc", "bc"), string:chr("abc", $b), string:span("aab", "a"), string:cspan("aab", "b"), string:centre("a", 5), string:left("abc", 5, $.), string:right("abc", 2), string:words("a b c"), string:sub_word("a b c", 2), string:to_upper("aé"), string:join(["a", "b"], "-"), string:concat("a", "b"), string:copies("ab", 3), string:sub_string("abc", 2)] end},
     {prints, fun() -> [caught(fun() -> io_lib:format(F, [T]) end) || F <- ["~ts", "~s", "~10ts|", "~-10ts|", "~.3ts|", "~tp", "~p", "~tw", "~w", "~5.2ts|"], T <- ["abc", "åäö", [1046, 1078], <<"åäö"/utf8>>, <<"å">>, [16#1F600], 'ж', <<1046/utf8>>, ["a", <<"ж"/utf8>>]]] end},
     {io_lib, fun() -> [{T, caught(fun() -> io_lib:write_string(T) end), io_lib:printable_list(T), io_lib:printable_unicode_list(T), io_lib:printable_latin1_list(T), io_lib:char_list(T), io_lib:deep_char_list(T), caught(fun() -> io_lib:write_string_as_latin1(T) end)} || T <- ["abc", [1046], [200], [1], [-1], [16#D800], "", [a], [16#110000], "\t\e"]] end},
     {atoms, fun() -> [{A, atom_to_list(A), caught(fun() -> atom_to_binary(A, latin1) end), io_lib:write_atom(A), io_lib:write_atom_as_latin1(A)} || A <- ['ж', a, 'é', 'a b', '\x{1F600}']] end}].

many(N) -> lists:seq(1, N).
seeded(N) -> rand:seed(exsss, {N, 50, 60}).
pick(List) -> lists:nth(rand:uniform(length(List)), List).
rand_bytes(N) -> rand:bytes(rand:uniform(N)).
hash(List) -> {hd(List), length(List), hashes(List, max(1, length(List) div 10))}.
hashes([], _) -> [];
hashes(List, Part) when length(List) =< Part -> [erlang:phash2(List)];
hashes(List, Part) -> {A, B} = lists:split(Part, List), [erlang:phash2(A) | hashes(B, Part)].
caught(F) -> try F() catch C:R:S -> {C, R, info(S)} end.
info([{M, F, A, Extra} | _]) -> {M, F, if is_list(A) -> length(A); true -> A end, proplists:get_value(error_info, Extra, none)}.

encodings() -> [latin1, utf8, utf16, {utf16, big}, {utf16, little}, utf32, {utf32, big}, {utf32, little}, unicode].

texts() ->
    good_texts() ++ [<<"ab", 200>>, <<200, 128, 65>>, <<"a", 226, 130>>, [<<226>>, <<130, 172>>], [<<226>>, $a], [$a | <<255>>], [16#D800], [16#110000], ["ab", [16#DFFF]], <<237, 160, 128>>, <<240, 159, 152>>, <<0, 65>>, <<216, 0, 220, 0>>, <<216, 0>>, <<220, 0, 0, 65>>, <<0, 0, 0, 65>>, <<0, 17, 0, 0>>, <<65, 0>>, <<65>>, <<192, 128>>, <<244, 144, 128, 128>>, <<1:4>>, [a], a, [1046 | 5]].

good_texts() ->
    ["", "abc", "åäö", [1046, 8364, 16#1F600], <<"abc">>, <<"åж€"/utf8>>, ["a", [<<"b">>, [1046]] | <<"c">>], [$e, 16#301, $o, 16#308], [16#FB01, 16#2460], [16#AC00, 16#1100, 16#1161], "ẞß", [16#130, $i, 16#3A3, 16#3C2]].

one_text() ->
    [{length, []}, {is_empty, []}, {uppercase, []}, {lowercase, []}, {titlecase, []}, {casefold, []}, {reverse, []}, {trim, []}, {trim, [leading]}, {trim, [both, "a"]}, {chomp, []}, {to_graphemes, []}, {next_codepoint, []}, {next_grapheme, []}, {pad, [8]}, {pad, [8, leading]}, {pad, [9, both, $-]}, {slice, [1]}, {slice, [1, 2]}, {take, ["ab"]}, {take, ["ab", true]}, {take, ["c", false, trailing]}].

two_text() ->
    [{find, ["o"]}, {find, ["o", trailing]}, {prefix, ["hel"]}, {split, [" "]}, {split, ["l", all]}, {split, ["l", trailing]}, {replace, ["l", "L"]}, {replace, ["l", "L", all]}, {lexemes, ["o "]}, {nth_lexeme, [2, " "]}, {concat, ["x"]}, {equal, ["hello world"]}, {equal, ["HELLO WORLD", true]}, {to_integer, []}, {to_float, []}, {pad, [15, trailing, "xy"]}, {slice, [2, -1]}, {find, [a]}].

text(N) -> [pick([$a, $b, $c, $ , $\n, $e, 16#301, 16#E9, 16#C5, 1046, 8364, 16#1F600, 16#200D, 16#1F1E9, 16#FB01, 16#AC00, 16#1161, $A, $Z, 16#DF, 16#130]) || _ <- many(rand:uniform(N))].

nested(0) -> pick([$a, 1046, 200, <<"b">>, <<"ж"/utf8>>, <<208>>, <<182>>, [], 16#1F600]);
nested(N) ->
    case rand:uniform(12) of
        1 -> [nested(N - 1) | <<"t">>];
        2 -> pick([<<255>>, a, -1, 16#D800, <<1:2>>, $z]);
        _ -> [nested(N - 1) || _ <- many(rand:uniform(3))]
    end.
