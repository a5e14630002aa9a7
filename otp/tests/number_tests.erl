%% Integers across the limits of smalls, words and big numbers; floats; conversions to and from text; math.
-module(number_tests).
-export([tests/0]).

tests() ->
    [{edges, fun() -> hash([binary(A, B) || A <- edges(), B <- edges()]) end},
     {random_integers, fun() -> seeded(1), hash([binary(integer(), integer()) || _ <- many(3000)]) end},
     {random_mixed, fun() -> seeded(2), hash([binary(number(), number()) || _ <- many(3000)]) end},
     {random_unary, fun() -> seeded(3), hash([unary(number()) || _ <- many(3000)]) end},
     {edge_unary, fun() -> [{A, unary(A)} || A <- [0, 1, -1, 1 bsl 59, -(1 bsl 59), (1 bsl 59) - 1, -(1 bsl 60), 1 bsl 63, -(1 bsl 63), 1 bsl 64, 0.0, -0.0, 1.5, -2.5, 1.0e308, 1.0e-308, 9007199254740993.0]] end},
     {wrong_operands, fun() -> [{A, B, binary(A, B)} || A <- [a, 1, 1.0, [], <<1>>], B <- [b, 0, 0.0, 2.5], not (is_number(A) andalso is_number(B) andalso B /= 0)] end},
     {shifts, fun() -> [{A, S, [brief(caught(fun() -> F(A, S) end)) || F <- [fun(X, Y) -> X bsl Y end, fun(X, Y) -> X bsr Y end]]} || A <- [0, 1, -1, 5, -5, 1 bsl 59, -(1 bsl 64), 1 bsl 100], S <- [0, 1, 58, 59, 60, 63, 64, 65, 127, 128, 1000, -1, -59, -64, -1000, 1 bsl 64, -(1 bsl 64), 1 bsl 80, 1 bsl 59]] end},
     {too_large, fun() -> [brief(caught(F)) || F <- [fun() -> id(1) bsl (1 bsl 26) end, fun() -> id(1) bsl (1 bsl 40) end, fun() -> id(-1) bsl (1 bsl 70) end, fun() -> X = id(1) bsl 33554400, X * X end, fun() -> id(1) bsr -(1 bsl 26) end, fun() -> id(0) bsl (1 bsl 70) end, fun() -> id(7) bsr (1 bsl 70) end, fun() -> id(-7) bsr (1 bsl 70) end]] end},
     {multiply_large, fun() -> seeded(4), hash([begin A = large(4000), B = large(3000), {erlang:phash2(A * B), A * B div B =:= A, A * B rem B, erlang:phash2(A * A)} end || _ <- many(60)]) end},
     {divide_large, fun() -> seeded(5), hash([begin A = large(5000), B = large(2500), {erlang:phash2(A div B), A =:= (A div B) * B + A rem B, erlang:phash2(A rem -B), erlang:phash2(-A div B), erlang:phash2(-A rem B)} end || _ <- many(150)]) end},
     {bits_large, fun() -> seeded(6), hash([begin A = sign(large(400)), B = sign(large(300)), [A band B, A bor B, A bxor B, bnot A, A bsr 77, A bsl 77, (A band B) + (A bor B) =:= A + B] end || _ <- many(400)]) end},
     {factorial, fun() -> F = lists:foldl(fun(X, Y) -> X * Y end, 1, many(1500)), {erlang:phash2(F), length(integer_to_list(F)), lists:foldr(fun(X, Y) -> Y div X end, F, many(1500))} end},
     {fibonacci, fun() -> fib(3000, 0, 1) end},
     {compare_mixed, fun() -> [{A, B, [A < B, A > B, A == B, A =:= B, A =< B, A >= B]} || A <- [1 bsl 53, (1 bsl 53) + 1, (1 bsl 53) - 1, -(1 bsl 53) - 1, 1 bsl 59, (1 bsl 60) + 1, 1 bsl 64, 1 bsl 1023, 1 bsl 1024, -(1 bsl 2000)],
         B <- [9007199254740992.0, 9007199254740994.0, -9007199254740992.0, 5.764607523034235e17, 1.152921504606847e18, 1.8446744073709552e19, 8.98846567431158e307, 1.7976931348623157e308, -1.7976931348623157e308]] end},
     {compare_random, fun() -> seeded(7), hash([begin I = (1 bsl (45 + rand:uniform(30))) + rand:uniform(100) - 50, F = float(I + rand:uniform(300) - 150), {I < F, I == F, I > F, lists:sort([I, F]), I =:= F} end || _ <- many(3000)]) end},
     {sort_numbers, fun() -> seeded(8), hash([lists:sort([number() || _ <- many(20)]) || _ <- many(200)]) end},
     {float_overflow, fun() -> [caught(F) || F <- [fun() -> id(1.0e308) * 10 end, fun() -> id(1.0e308) + id(1.7e308) end, fun() -> id(-1.0e308) - 1.7e308 end, fun() -> id(1.0) / 0 end, fun() -> id(1) / 0.0 end, fun() -> id(0) / 0 end, fun() -> id(1.0e308) / 1.0e-10 end,
         fun() -> float(id(1 bsl 1024)) end, fun() -> id(1 bsl 1024) + 1.0 end, fun() -> (1 bsl 1024) / id(1 bsl 1024) end, fun() -> id(1 bsl 1024) * 0.0 end, fun() -> 1.0 - id(1 bsl 2000) end, fun() -> -id(0.0) end, fun() -> abs(id(-0.0)) end, fun() -> id(0.0) * -1 end, fun() -> id(5.0e-324) / 2 end]] end},
     {big_division, fun() -> [id(A) / id(B) || A <- [1 bsl 1000, (1 bsl 64) + 1, -(1 bsl 70), 7], B <- [(1 bsl 900) + 1, (1 bsl 60) - 1, 3]] end},
     {negative_zero, fun() -> Z = id(-0.0), [Z, Z == 0, Z =:= 0.0, Z == 0.0, -Z, Z + 0, Z * 1, abs(Z), float_to_list(Z), trunc(Z), round(Z), term_to_binary(Z), erlang:phash2(Z), erlang:phash2(0.0), #{0.0 => a} =:= #{Z => a}, Z < 0.0, max(Z, 0.0), min(0.0, Z), lists:sort([0.0, Z, 0]), <<Z/float>>, math:sqrt(Z), math:atan2(Z, -1)] end},
     {float_text_random, fun() -> seeded(9), hash([begin F = any_float(), {float_to_list(F), float_to_list(F, [short]), io_lib:format("~p ~w", [F, F]), list_to_float(float_to_list(F, [short])) =:= F} end || _ <- many(3000)]) end},
     {float_text_edges, fun() -> [{F, float_to_list(F), float_to_binary(F, [short]), io_lib:format("~w", [F])} || F <- [0.0, -0.0, 1.0, 0.1, 100.0, 1.0e15, 1.0e16, 1.0e17, 123456789012345680.0, 1.0e21, 1.0e22, 1.0e23, 9007199254740993.0, 5.0e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.001, 0.0001, 0.00001, 1.0e-5, 12345.678, 299792458.0, 1.0e-10, 4.35, 0.3, 2.0e-3, 1234567.0e-10, 1.0e100]] end},
     {float_options, fun() -> [{F, O, caught(fun() -> float_to_list(F, O) end)} || F <- [0.0, -0.0, 1.5, 0.005, 2.5, -123.456, 1.0e20, 1.0e-20, 0.999999, 1.0e300],
         O <- [[{decimals, 0}], [{decimals, 1}], [{decimals, 3}], [{decimals, 30}], [{decimals, 3}, compact], [compact, {decimals, 10}], [{scientific, 0}], [{scientific, 3}], [{scientific, 25}], [{scientific, 3}, compact], [short, compact], [compact], [{decimals, 2}, short], [short, {scientific, 2}]]] end},
     {float_bad_options, fun() -> [caught(fun() -> float_to_list(F, O) end) || {F, O} <- [{1.0, [{decimals, -1}]}, {1.0, [{decimals, 254}]}, {1.0, [{decimals, 253}]}, {1.0, [{scientific, 250}]}, {1.0, [{scientific, 249}]}, {1.0, [{scientific, a}]}, {1.0, [bad]}, {1.0, x}, {1.0, [short | x]}, {1, []}, {a, []}, {1.0, []}, {1.0e300, [{decimals, 253}]}]] end},
     {float_decimals_random, fun() -> seeded(10), hash([begin F = rand:normal() * math:pow(10, rand:uniform(20) - 8), D = rand:uniform(20) - 1, {float_to_list(F, [{decimals, D}]), float_to_binary(F, [{decimals, D}, compact]), float_to_list(F, [{scientific, D}])} end || _ <- many(2000)]) end},
     {text_to_float, fun() -> [{T, caught(fun() -> list_to_float(T) end), caught(fun() -> binary_to_float(list_to_binary(T)) end)} || T <- ["1.0", "+1.0", "-1.0", "1", "1.", ".5", "1.0e5", "1.0E5", "1.0e+5", "1.0e-5", "1.0e", "1.0e999", "1.0e-999", " 1.0", "1.0 ", "", "1.0x", "1,5", "00012.500", "1.0e0005", "inf", "nan", "0x1.8", "1.7976931348623159e308", "4.9e-324", "2.0e-324", "1_0.0", "123456789012345678901234567890.123456789"]] end},
     {text_to_float_bad, fun() -> [caught(fun() -> F(X) end) || F <- [fun list_to_float/1, fun binary_to_float/1, fun list_to_integer/1, fun binary_to_integer/1], X <- [a, [a], [1.0], 5, <<1:3>>, [$1 | x], [-1], [256]]] end},
     {rounding, fun() -> [{F, [caught(fun() -> G(F) end) || G <- [fun trunc/1, fun round/1, fun floor/1, fun ceil/1, fun float/1]]} || F <- [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999999999999994, 4503599627370495.5, -4503599627370495.5, 4503599627370497.5, 9007199254740991.0, 5.764607523034234e17, 5.764607523034235e17, -5.764607523034235e17, 1.152921504606847e18, 9.223372036854775e18, 9.223372036854776e18, -9.223372036854776e18, 1.8446744073709552e19, 1.0e25, -1.0e100, 1.7e308, 5.0e-324, 7, 1 bsl 70, a]] end},
     {rounding_random, fun() -> seeded(11), hash([begin F = any_float(), [trunc(F), round(F), floor(F), ceil(F)] end || _ <- many(1500)]) end},
     {math_functions, fun() -> seeded(12), hash([[caught(fun() -> math:F(X) end) || F <- [sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, exp, log, log2, log10, sqrt, erf, erfc, ceil, floor]] || X <- [0, 1, -1, 0.5, -0.5, 2, 10.5, -3.7, 100, 710, 1.0e308, -1.0e308, 1.0e-300, 1 bsl 70, 1 bsl 1024, a, 1.0e15]]) end},
     {math_errors, fun() -> [{F, caught(fun() -> math:F(X) end)} || {F, X} <- [{log, 0}, {log, -1}, {log2, 0}, {log10, -5}, {sqrt, -1}, {acos, 2}, {asin, -2}, {acosh, 0}, {atanh, 1}, {exp, 1000}, {sqrt, a}, {sin, "x"}, {ceil, x}]] end},
     {math_two, fun() -> [{F, A, B, caught(fun() -> math:F(A, B) end)} || F <- [pow, atan2, fmod], {A, B} <- [{2, 10}, {2, 0.5}, {0, 0}, {0, -1}, {-8, 1 / 3}, {1, 1}, {-1, -1}, {10, 3}, {-10.5, 3}, {10, 0}, {2, 2000}, {1 bsl 70, 2}, {a, 1}, {1, a}, {1.0e308, 1.0e-308}]] end},
     {math_pi, fun() -> math:pi() end},
     {bases, fun() -> seeded(13), hash([begin I = sign(integer()), B = rand:uniform(35) + 1, T = integer_to_list(I, B), {T, list_to_integer(T, B) =:= I, binary_to_integer(integer_to_binary(I, B), B) =:= I, list_to_integer(string:lowercase(T), B) =:= I} end || _ <- many(2000)]) end},
     {base_errors, fun() -> [caught(F) || F <- [fun() -> integer_to_list(id(1), 1) end, fun() -> integer_to_list(id(1), 37) end, fun() -> integer_to_list(id(a), 10) end, fun() -> integer_to_list(id(1.0)) end, fun() -> integer_to_binary(id(5), x) end, fun() -> integer_to_binary(id("x")) end, fun() -> list_to_integer(id("12"), 1) end, fun() -> list_to_integer(id("12"), 37) end, fun() -> list_to_integer(id("19"), 8) end, fun() -> list_to_integer(id("zz"), 36) end]] end},
     {text_to_integer, fun() -> [{T, caught(fun() -> list_to_integer(T) end), caught(fun() -> binary_to_integer(list_to_binary(T)) end), caught(fun() -> string:to_integer(T) end), caught(fun() -> string:to_float(T) end)} || T <- ["0", "-0", "+0", "12", "+12", "-12", "", "+", "-", "--1", "1 ", " 1", "1a", "1.0", "000000000000000000000000000000000000012", "576460752303423487", "576460752303423488", "-576460752303423488", "-576460752303423489", "9223372036854775808", "18446744073709551616", "1e5", "٣"], lists:all(fun(C) -> C < 256 end, T)] end},
     {large_text, fun() -> seeded(14), hash([begin L = [$1 | [rand:uniform(10) + $0 - 1 || _ <- many(N)]], I = list_to_integer(L), {erlang:phash2(I), integer_to_list(I) =:= L, erlang:phash2(integer_to_list(I, 16)), list_to_integer(integer_to_list(-I, 7), 7) =:= -I} end || N <- [10, 17, 18, 19, 20, 37, 38, 39, 100, 1000, 5000]]) end},
     {sums, fun() -> seeded(15), L = [number() || _ <- many(500)], I = [integer() || _ <- many(500)], {caught(fun() -> lists:sum(L) end), lists:sum(I), lists:max(L), lists:min(L), lists:foldl(fun(X, A) -> A * 31 + X end, 7, I) rem 1000003} end},
     {counting, fun() -> [count_up(S, 20) || S <- [(1 bsl 59) - 10, -(1 bsl 59) - 10, (1 bsl 63) - 10, (1 bsl 64) - 10, -(1 bsl 63) - 10]] end},
     {float_arithmetic, fun() -> seeded(16), hash([caught(fun() -> float_mix(any_float(), any_float(), rand:normal()) end) || _ <- many(2000)]) end},
     {float_loop, fun() -> float_loop(2000, 0.5, 0) end},
     {is_number_guards, fun() -> [{X, class(X)} || X <- [1, 1.0, 1 bsl 70, -0.0, a, [], {}, <<>>]] end},
     {min_max, fun() -> [{A, B, min(A, B), max(A, B)} || A <- [1, 1.0, a, 1 bsl 64], B <- [1, 1.0, 2, 1.8446744073709552e19]] end}].

id(X) -> X.
many(N) -> lists:seq(1, N).
seeded(N) -> rand:seed(exsss, {N, 200, 300}).
pick(List) -> lists:nth(rand:uniform(length(List)), List).
sign(X) -> pick([X, -X]).
large(Bits) -> rand:uniform(1 bsl (rand:uniform(Bits) + 1)).
hash(List) -> {hd(List), length(List), hashes(List, max(1, length(List) div 10))}.
hashes([], _) -> [];
hashes(List, Part) when length(List) =< Part -> [erlang:phash2(List)];
hashes(List, Part) -> {A, B} = lists:split(Part, List), [erlang:phash2(A) | hashes(B, Part)].

caught(F) -> try F() catch C:R:S -> {C, R, info(S)} end.
info([{M, F, A, Extra} | _]) -> {M, F, if is_list(A) -> A; true -> arity end, proplists:get_value(error_info, Extra, none)}.
brief(I) when is_integer(I), abs(I) > 1 bsl 200 -> {I rem 1000003, I > 0};
brief({_, _, {_, F, A, _}} = E) -> {element(1, E), element(2, E), F, is_list(A)};
brief(X) -> X.

edges() ->
    [0, 1, -1, 2, -2, 3, 7, -7, 10, 255, 1 bsl 31, 1 bsl 32, -(1 bsl 32), (1 bsl 59) - 1, 1 bsl 59, -(1 bsl 59), -(1 bsl 59) - 1, (1 bsl 59) + 1, 1 bsl 60, (1 bsl 60) - 1, -(1 bsl 60), (1 bsl 63) - 1, 1 bsl 63, -(1 bsl 63),
     -(1 bsl 63) - 1, (1 bsl 64) - 1, 1 bsl 64, (1 bsl 64) + 1, -(1 bsl 64), (1 bsl 65) - 1, 1 bsl 127, (1 bsl 128) - 1, 1 bsl 128, -(1 bsl 128), (1 bsl 192) - 1, 1 bsl 30, 3037000500, 3037000499, -3037000500].

integer() -> sign(pick([rand:uniform(10), rand:uniform(1000), rand:uniform(1 bsl 32), rand:uniform(1 bsl 60), rand:uniform(1 bsl 64), (1 bsl rand:uniform(130)) + rand:uniform(3) - 2, large(200), large(500)])).
number() -> pick([integer(), integer(), rand:normal() * 100, any_float(), float(rand:uniform(1000))]).
any_float() ->
    case rand:bytes(8) of
        <<F/float>> -> F;
        _ -> any_float()
    end.

binary(A, B) ->
    [caught(fun() -> F(A, B) end) || F <- [fun(X, Y) -> X + Y end, fun(X, Y) -> X - Y end, fun(X, Y) -> X * Y end, fun(X, Y) -> X / Y end, fun(X, Y) -> X div Y end, fun(X, Y) -> X rem Y end,
        fun(X, Y) -> X band Y end, fun(X, Y) -> X bor Y end, fun(X, Y) -> X bxor Y end]] ++ [A < B, A =< B, A == B, A =:= B, min(A, B), max(A, B)].

unary(A) ->
    [caught(fun() -> F(A) end) || F <- [fun(X) -> -X end, fun(X) -> +X end, fun(X) -> bnot X end, fun abs/1, fun float/1, fun trunc/1, fun round/1, fun erlang:phash2/1, fun(X) -> X + 1 end, fun(X) -> X - 1 end, fun(X) -> 1 + X end, fun(X) -> X * 2 end,
        fun(X) -> X div 8 end, fun(X) -> X rem 8 end, fun(X) -> X band 255 end, fun(X) -> X bsr 3 end, fun(X) -> X bsl 3 end, fun(X) -> X * X end, fun(X) -> X - X end, fun erts_debug:flat_size/1, fun term_to_binary/1]].

fib(0, A, _) -> {A rem 1000000007, erlang:phash2(A)};
fib(N, A, B) -> fib(N - 1, B, A + B).

count_up(_, 0) -> [];
count_up(X, N) -> [X | count_up(X + 1, N - 1)].

float_mix(A, B, C) when is_float(A), is_float(B), is_float(C) ->
    D = A * C + B / 3.0, E = (A - B) * 0.5, F = -D,
    {D, E, F, D + E - F, A / (C + 1.0)}.

float_loop(0, X, N) -> {X, N};
float_loop(I, X, N) when X > 1.0e100 -> float_loop(I - 1, X / 1.0e200, N + 1);
float_loop(I, X, N) -> float_loop(I - 1, X * 3.7 * (1.0 - X) + X * X, N).

class(X) when is_integer(X), X > 0 -> positive;
class(X) when is_float(X), X == 0 -> zero;
class(X) when is_number(X) -> number;
class(X) when X + 1 > 0 -> never;
class(_) -> none.
