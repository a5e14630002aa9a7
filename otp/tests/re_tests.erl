%% Regular expressions: compiling, running with all options, replacing, splitting, errors.
-module(re_tests).
-export([tests/0]).

tests() ->
    [{compile_errors, fun() -> [{P, shape(catch re:compile(P))} || P <- bad_patterns()] end},
     {compile_options, fun() -> [{O, shape(catch re:compile("a.b", O))} || O <- [[], [anchored], [caseless], [dollar_endonly], [dotall], [extended], [firstline], [multiline], [no_auto_capture], [dupnames], [ungreedy], [unicode], [{newline, crlf}], [{newline, foo}], [bsr_anycrlf], [bsr_unicode], [no_start_optimize], [ucp], [never_utf], [foo], x, [unicode, ucp, caseless]]] end},
     {run_basic, fun() -> [{S, P, catch re:run(S, P)} || {S, P} <- subjects()] end},
     {run_options, fun() -> [{O, catch re:run("ABCabcdABCabc", "(b)(c)(d)?", O)} || O <- run_options()] end},
     {captures, fun() -> [{C, catch re:run("xabcABCy", "(?<A>a)(b)(?<C>c)(z)?", [{capture, C, T}])} || C <- [all, first, all_but_first, none, all_names, [1], ['A', 'C'], ["A", 0, <<"C">>], [9], [-1], [foo], foo, [0, 4], []], T <- [index, list, binary]] ++ [catch re:run("ab", "a", [{capture, X}]) || X <- [all, none, foo, [a]]] end},
     {global, fun() -> [{P, catch re:run(S, P, [global | O])} || {S, P, O} <- [{"aXbXc", "X", []}, {"aaa", "a*", []}, {"abc", "", []}, {"a\nb\nc", "^", [multiline]}, {"foo bar", "\\w+", [{capture, all, list}]}, {"ababab", "(a)(b)", [{capture, all_but_first, binary}]}, {"äöå", ".", [unicode, {capture, all, list}]}, {"a\r\nb", "$", [multiline, {newline, crlf}]}, {"xx", "y", []}, {"aab", "a|(b)", [{capture, all, list}]}, {"abcab", "(?=ab)", []}]] end},
     {unicode, fun() -> [{S, P, O, catch re:run(S, P, O)} || {S, P, O} <- unicode_cases()] end},
     {replace, fun() -> [{P, R, O, catch re:replace("abcabc foo", P, R, O)} || {P, R, O} <- [{"b", "X", []}, {"b", "X", [global]}, {"(a)(b)", "\\2\\1", [global, {return, list}]}, {"b", "[&]", [global, {return, binary}]}, {"b", "\\&", [{return, list}]}, {"b", "\\\\", [{return, list}]}, {"b", "\\g{0}\\g1", [{return, list}]}, {"x", "y", [{return, list}]}, {"", "-", [global, {return, list}]}, {"(x)?b", "<\\1>", [global, {return, list}]}, {"b", "X", [{offset, 2}, {return, list}]}, {"b", "X", [{return, foo}]}, {"b", x, []}, {"b", "\\9", [{return, list}]}, {"b", <<"bin">>, [global]}, {"b", fun(W, _) -> [W, W] end, [global, {return, list}]}]] end},
     {split, fun() -> [{P, O, catch re:split("a,b;c,,d", P, O)} || {P, O} <- [{",", []}, {",", [{return, list}]}, {"[,;]", [{return, list}]}, {"([,;])", [{return, list}]}, {"([,;])", [group, {return, list}]}, {",", [{parts, 2}, {return, list}]}, {",", [trim, {return, list}]}, {"", [{return, list}]}, {",+", [{parts, infinity}]}, {"x", []}, {",", [{parts, -1}]}, {",", [foo]}, {"d", [{return, list}]}, {"d", [trim, {return, list}]}, {"(,)(x)?", [{return, list}]}]] ++ [catch re:split([1046, $,, 1078], ",", [unicode, {return, list}])] end},
     {inspect, fun() -> [shape(catch re:inspect(P, I)) || P <- [element(2, re:compile("(?<A>a)(?<B>b)(?<A2>c)")), element(2, re:compile("x")), foo], I <- [namelist, foo]] end},
     {compiled_runs, fun() -> {ok, P} = re:compile("(\\d+)-(?<W>\\w+)", [caseless]), [re:run(S, P, [{capture, all, list}]) || S <- ["12-ab", "x 7-Q", "none", <<"55-z">>, ["4", <<"-">>, $y]]] ++ [re:run("4-k", P, [{capture, ['W'], binary}]), shape(catch re:run("a", P, [caseless])), shape(catch re:run("a", setelement(5, P, <<1, 2, 3>>))), element(1, P), element(2, P), element(3, P)] end},
     {bad_run, fun() -> [caught(fun() -> re:run(S, P, O) end) || {S, P, O} <- [{a, "a", []}, {"a", a, []}, {"a", "a", x}, {"a", "a", [foo]}, {"a", "(", []}, {[300], "a", []}, {<<255>>, "a", [unicode]}, {"a", <<255>>, [unicode]}, {"abc", "a", [{offset, -1}]}, {"abc", "a", [{offset, a}]}, {<<1:3>>, "a", []}, {"a", "a", [{capture, all, foo}]}, {"a", "a", [{match_limit, -1}]}, {"a", {re_pattern, 1, 2, 3, 4}, []}]] end},
     {limits, fun() -> [catch re:run(lists:duplicate(40, $a) ++ "!", "(a+)+$", O) || O <- [[{match_limit, 1000}], [{match_limit, 1000}, report_errors], [{match_limit_recursion, 5}, report_errors]]] end},
     {syntax, fun() -> [{P, S, catch re:run(S, P, [{capture, all, list}])} || P <- patterns(), S <- ["", "a", "aab", "abcabc", "foo123", "FOO bar", "a\nb", "((x))", "2024-01-02", "aXbXc"]] end},
     {random, fun() -> seeded(1), hash([random_case() || _ <- many(3000)]) end},
     {random_replace, fun() -> seeded(2), hash([begin P = pattern(3), S = text(12), {P, S, catch re:replace(S, P, "<&>", [global, {return, list}]), catch re:split(S, P, [{return, list}])} end || _ <- many(1500)]) end},
     {long_subject, fun() -> S = binary:copy(<<"the quick brown fox ">>, 5000), [length(element(2, re:run(S, P, [global]))) || P <- ["fox", "\\bq", "[aeiou]+", "(\\w+) (\\w+)"]] end},
     {version, fun() -> is_binary(re:version()) end}].

many(N) -> lists:seq(1, N).
seeded(N) -> rand:seed(exsss, {N, 70, 80}).
pick(List) -> lists:nth(rand:uniform(length(List)), List).
hash(List) -> {hd(List), length(List), hashes(List, max(1, length(List) div 20))}.
hashes([], _) -> [];
hashes(List, Part) when length(List) =< Part -> [erlang:phash2(List)];
hashes(List, Part) -> {A, B} = lists:split(Part, List), [erlang:phash2(A) | hashes(B, Part)].
caught(F) -> try F() catch C:R:S -> {C, R, info(S)} end.
info([{M, F, A, Extra} | _]) -> {M, F, if is_list(A) -> length(A); true -> A end, proplists:get_value(error_info, Extra, none)}.
shape({ok, {re_pattern, A, B, C, _}}) -> {ok, A, B, C};
shape({'EXIT', {R, _}}) -> {'EXIT', R};
shape(X) -> X.

bad_patterns() ->
    ["(", ")", "[", "a**", "*", "a{2,1}", "(?", "(?<a", "(?<1>x)", "[z-a]", "\\", "(?P<a>x)(?P<a>y)", "[[:foo:]]", "(?z)", "\\k<x>", "(?(1)a|b|c)", "\\g{5}", "(?<=a*)b", "\\x{110000}", "\\p{Foo}", "a{99999}", "(?1)", "[a", "(a", "\\Q", "(?#", "\\c", "\\o{9}", "(*FOO)", "(?C256)", "\\N{U+41}", "+a", "(?:a", "[]", "(?<n>a)(?<n>b)", "x{1,70000}", "(?P=z)", "(?R", "[[.a.]]", "\\u", "\\L"].

subjects() ->
    [{"abc", "b"}, {"abc", "x"}, {"abc", "(a)(b)?(x)?"}, {<<"abc">>, <<"c$">>}, {["a", <<"b">>], "ab"}, {"", ""}, {"", "a*"}, {"aaa", "a{2}"}, {"foobar", "foo(?=bar)"}, {"foobar", "(?<!x)bar"}, {"abab", "(ab)\\1"}, {"\n", "."}, {"a\n", "a$"}, {"a\nb", "a$"}, {[200], "\\w"}, {[200], "[^a]"}, {"x1y", "\\d"}, {"aB", "(?i)AB"}, {"aaa", "(a)+?"}, {"((a))", "\\((?:[^()]|(?R))*\\)"}, {"abc", "(?<n>b)(?(n)c|d)"}].

run_options() ->
    [[], [anchored], [{offset, 3}], [{offset, 7}, {capture, all, list}], [global], [notbol], [noteol], [notempty], [notempty_atstart], [caseless], [caseless, global], [{capture, none}], [{capture, first, list}], [global, {capture, first, list}], [{newline, lf}], [{newline, cr}], [{newline, any}], [{newline, anycrlf}], [ungreedy], [firstline], [no_auto_capture], [report_errors], [{match_limit, 100000}], [multiline, dotall, extended], [bsr_anycrlf], [unicode, ucp]].

unicode_cases() ->
    [{[1046, 1078], "ж", [unicode]}, {[1046, 1078], [1078], [unicode, {capture, all, list}]}, {[1046], [1078], [unicode, caseless]}, {<<"aж"/utf8>>, "\\w+", [unicode]}, {<<"aж"/utf8>>, "\\w+", [unicode, ucp]}, {"é", "\\w", []}, {"é", "\\w", [ucp]}, {[16#1F600], ".", [unicode]}, {[16#1F600, $a], "a", [unicode]}, {<<16#1F600/utf8>>, ".", []}, {"aé", "\\p{L}+", [unicode, {capture, all, list}]}, {"a1", "\\p{Nd}", [unicode]}, {[1046], "\\p{Cyrillic}", [unicode]}, {[1046], "\\x{416}", [unicode]}, {"ab", [$(, 1046, $), $?, $a], [unicode]}, {[8364, $x], "x", [unicode, {offset, 3}]}, {[8364, $x], "x", [unicode, {offset, 1}]}, {[$e, 16#301, $x], "\\X", [unicode, {capture, all, list}]}, {<<"ß"/utf8>>, <<"ẞ"/utf8>>, [unicode, caseless]}, {"K", [16#212A], [unicode, caseless]}].

patterns() ->
    ["a", "^a", "a$", "a|b", "(a)(b)?", "a+?", "a*b", "[^a-c]", "\\w+", "\\s", "\\bf", "(?i)foo", "(?<y>\\d+)-(?<m>\\d+)", "(?:ab)+", "(?=a)", "(?!a).", "^$", "\\A.", ".\\z", "(.)\\1", "(?>a+)b", "a{1,2}", "(?x) a b # c", "(?s).*", "(?m)^b", "\\((?:[^()]++|(?R))*\\)", "[[:alpha:]]+", "\\d{3}|[A-Z]+", "(?|(a)|(b))", "\\Qa\\E", "x*", "\\R", "\\h", "\\K", "a\\Kb", "(a(?{1})b)?", "(?(?=a)ab|cd)", "\\G.", "(?U)a+", "[\\d\\-]+", "(*ANYCRLF)^b"].

text(N) -> [pick("aabbcX1 \n") || _ <- many(rand:uniform(N))].

pattern(0) -> pick(["a", "b", "c", ".", "\\w", "\\d", "[ab]", "[^a]", "X", "\\s", "1", "^", "$", "\\b", "(?:)"]);
pattern(N) ->
    case rand:uniform(10) of
        1 -> pattern(N - 1) ++ "|" ++ pattern(N - 1);
        2 -> "(" ++ pattern(N - 1) ++ ")";
        3 -> "(?:" ++ pattern(N - 1) ++ ")" ++ pick(["*", "+", "?", "{1,2}", "*?", "+?", "{2}"]);
        4 -> "(?=" ++ pattern(N - 1) ++ ")";
        5 -> "(?!" ++ pattern(N - 1) ++ ")";
        6 -> "(" ++ pattern(N - 1) ++ ")\\1";
        _ -> pattern(N - 1) ++ pattern(N - 1)
    end.

random_case() ->
    P = pattern(4), S = text(15), O = [X || X <- [caseless, multiline, dotall, global, anchored, notempty, ungreedy], rand:uniform(4) =:= 1],
    {P, S, O, catch re:run(S, P, [{capture, all, list} | O])}.
