%% Functions whose operands change their kind once they are hot: what the interpreter has met decides what native code
%% bets on, so each phase of a sequence meets code that was made for the phases before.
-module(feedback_tests).
-export([tests/0]).

-define(HOT, 6000).
-define(OPERATIONS, feedback_operations).

tests() ->
    [{{phases, Order}, fun() -> phases(Order) end} || Order <- orders()]
    ++ [{sums, fun sums/0}, {random, fun random/0}, {masks, fun masks/0}, {guards, fun guards/0}, {zeros, fun zeros/0},
        {bubbles, fun bubbles/0}, {failures, fun failures/0}, {live, fun live/0},
        {mixed, fun mixed/0}]
    ++ [{targets, fun targets/0}, {environment, fun environment/0}, {deep_funs, fun deep_funs/0}, {failing_funs, fun failing_funs/0},
        {travelled, fun travelled/0}, {traced_fun, fun traced_fun/0}].

orders() ->
    [[large, float, small], [float, small, large], [small, float, large], [other, small, float], [small, other, small],
     [left, right, float], [float, left, right], [overflow, small, float], [small, overflow, other], [right, large, left]].

%% Each operation, in code that is new to the VM: hashes of all results of each phase.
phases(Order) ->
    {module, ?OPERATIONS} = code:load_binary(?OPERATIONS, "feedback", compiled()),
    Result = [{Name, [erlang:phash2(phase(Name, Kind, ?HOT, [])) || Kind <- Order]} || Name <- operations()],
    code:purge(?OPERATIONS),
    code:delete(?OPERATIONS),
    code:purge(?OPERATIONS),
    Result.

phase(_, _, 0, Seen) -> Seen;
phase(Name, Kind, N, Seen) ->
    {A, B} = operands(Kind, N),
    phase(Name, Kind, N - 1, [(try ?OPERATIONS:Name(A, B) catch C:R -> {C, R} end) | Seen]).

mixed() ->
    {module, ?OPERATIONS} = code:load_binary(?OPERATIONS, "feedback", compiled()),
    [{Name, mixed(Name)} || Name <- operations()].

mixed(Name) ->
    Kinds = {small, large, float, left, right, overflow, other},
    erlang:phash2([begin
                       {A, B} = operands(element(1 + (I * 7919 bsr 3) rem 7, Kinds), I),
                       try ?OPERATIONS:Name(A, B) catch C:R -> {C, R} end
                   end || I <- lists:seq(1, 2 * ?HOT)]).

operations() -> [binary_to_atom(Name) || {Name, _} <- sources()].

sources() ->
    [{<<"add">>, "A + B"}, {<<"increment">>, "{A + 1, B}"}, {<<"decrement">>, "{A, B - 1}"}, {<<"subtract">>, "A - B"},
     {<<"multiply">>, "A * B"}, {<<"divide">>, "A / B"}, {<<"integer">>, "{A div B, A rem B}"},
     {<<"bits">>, "{A band 255, A bor B, A bxor 12, B band 16#FFFFFFFFFFFFFFF, bnot B}"},
     {<<"shift">>, "{A bsl (B band 63), A bsr 3}"}, {<<"less">>, "if A < B -> {less, A}; true -> {more, B} end"},
     {<<"limit">>, "if A < 1000, B >= 0 -> {low, A + 1}; 20000 < A -> {high, A - 1}; true -> {middle, A, B} end"},
     {<<"least">>, "{min(A, B), max(A, B), A =< B, A == B}"}, {<<"between">>, "if A >= B -> A - B; true -> B - A end"},
     {<<"polynomial">>, "A * A * 3 + 2 * A * B - B * B + 1"}, {<<"known">>, "C = A * 1.5, {C + B, C < A, B - C}"}].

compiled() ->
    Exports = lists:join(", ", [[Name, "/2"] || {Name, _} <- sources()]),
    Lines = ["-module(" ++ atom_to_list(?OPERATIONS) ++ ").", ["-export([", Exports, "])."]
             | [[Name, "(A, B) -> ", Text, "."] || {Name, Text} <- sources()]],
    Forms = [begin
                 {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Line)),
                 {ok, Form} = erl_parse:parse_form(Tokens),
                 Form
             end || Line <- Lines],
    {ok, _, Code} = compile:forms(Forms, []),
    Code.

operands(small, N) -> {N * 7, (N rem 11) - 5};
operands(large, N) -> {(1 bsl 70) + N, (1 bsl 64) - N};
operands(float, N) -> {N * 0.5, N / 3};
operands(left, N) -> {N * 0.25, N};
operands(right, N) -> {N, N * 0.25};
operands(overflow, N) -> {(1 bsl 59) - 1, N + (1 bsl 58)};
operands(other, N) -> case N rem 4 of 0 -> {a, N}; 1 -> {N, "b"}; 2 -> {{N}, <<N>>}; 3 -> {self, 1.5} end.

%% Accumulators that begin as integers and go on as something else.
sum([], S) -> S;
sum([X | Rest], S) -> sum(Rest, S + X).
sums() ->
    Lists = [lists:seq(1, 20), [I / 7 || I <- lists:seq(1, 20)], [I bsl 57 || I <- lists:seq(1, 20)], [1, 2.5, 1 bsl 65]],
    [lists:usort([sum(List, 0) || _ <- lists:seq(1, 1500)]) || List <- Lists ++ lists:reverse(Lists)].

%% Every product is large, every result is small.
random(0, S, Sum) -> {S, Sum};
random(N, S, Sum) -> random(N - 1, (S * 6364136223846793005 + 1442695040888963407) band 16#7fffffffffff, Sum + (S band 7)).
random() -> [random(N, Seed, 0) || {N, Seed} <- [{30000, 42}, {100, -(1 bsl 80)}, {30000, 7}]].

%% A mask of any integer is small; of anything else there is none.
mask(X, M) -> (X * 3 + 1) band 1023 + (X band M).
masks() ->
    Values = [5, 1 bsl 58, 1 bsl 59, 1 bsl 100, -1, -(1 bsl 59), -(1 bsl 60), -(1 bsl 99)],
    [lists:usort([mask(X, M) || _ <- lists:seq(1, 2000)]) || M <- [15, -1, 1 bsl 60], X <- Values]
    ++ [try mask(X, 3) catch C:R -> {C, R} end || X <- [1.5, a, []]].

%% In guards what fails is not raised.
guarded(A, B) when A + B > 10, A * 2 < B -> first;
guarded(A, B) when A - B < 5.5 -> second;
guarded(A, _) when A rem 3 =:= 0 -> third;
guarded(_, _) -> none.
guards() ->
    [erlang:phash2([guarded(A, B) || I <- lists:seq(1, ?HOT), {A, B} <- [operands(Kind, I)]])
     || Kind <- [small, other, float, large, other, left, right, overflow, small]].

%% -0.0 and 0.0, and results that are not finite.
zero(A, B) -> {A * B, A + B, A - B}.
zeros() ->
    _ = [zero(I * 0.5, -0.0) || I <- lists:seq(1, ?HOT)],
    [try [<<(float(X))/float>> || X <- tuple_to_list(zero(A, B))] catch C:R -> {C, R} end
     || A <- [0, 0.0, -0.0, -1, 1.0e300, 1 bsl 1000, 1 bsl 1100], B <- [0, 0.0, -0.0, -1, 1.0e300, -1.0e308]].

%% A sort that compares what it is given, hot with integers first.
bubble([A, B | Rest]) when A > B -> [B | bubble([A | Rest])];
bubble([A | Rest]) -> [A | bubble(Rest)];
bubble([]) -> [].
sorted(L) -> case bubble(L) of L -> L; M -> sorted(M) end.
bubbles() ->
    Integers = [(I * 37) rem 101 || I <- lists:seq(1, 60)],
    [{sorted(Integers), sorted([element(1 + (I * 5) rem 4, {I * K, I / K, {I}, 1 bsl (60 + I rem 3)}) || I <- lists:seq(40, 1, -1)])}
     || K <- lists:seq(1, 5)].

%% Where an exception comes from is shown as ever.
failing(A, B) -> C = A + B, C * A.
failures() ->
    _ = [failing(I, I) || I <- lists:seq(1, ?HOT)],
    _ = [catch failing(I, a) || I <- lists:seq(1, ?HOT)],
    [try failing(A, B) catch C:R:S -> {C, R, [{F, Ar} || {M, F, Ar, _} <- S, M =:= ?MODULE orelse M =:= erlang]} end
     || {A, B} <- [{1, a}, {a, 1}, {1.0e200, 1.0e200}, {1.0e308, 1.0e308}, {2, 3}]].

%% Values in all kinds of registers over an operation that may allocate and collect.
live(0, L, _, _) -> L;
live(N, L, F, G) -> live(N - 1, [{F * 2, G + N, L =/= []} | tail(L)], G - N, F + 3).
tail([_, _, _, _ | Rest]) -> Rest;
tail(Rest) -> Rest.
live() ->
    [erlang:phash2(live(?HOT, [], F, G)) || {F, G} <- [{1.0, 2.0}, {1, 2}, {1 bsl 61, 1}, {0.5, 1 bsl 70}]].

%% ------------------------------------------------------------------------------------------------ calls of funs

%% Calls of a fun that is always the same, then another, then none.
each(_, [], Acc) -> Acc;
each(F, [X | Rest], Acc) -> each(F, Rest, F(X, Acc)).
each_last(F, X, N) when N > 0 -> each_last(F, F(X), N - 1);
each_last(F, X, _) -> F(X).

targets() ->
    L = lists:seq(1, ?HOT),
    K = length(L) rem 7,
    Add = fun(X, A) -> X + A end,
    Keep = fun(X, A) -> X * K + A rem 1000003 end,
    Float = fun(X, A) -> X / 2 + A end,
    [each(F, L, 0) || F <- [Add, Add, Keep, Add, fun erlang:max/2, Float, Keep, Add]]
    ++ [each_last(F, 1, ?HOT * 2) || F <- [fun(X) -> X + 1 end, fun(X) -> X bxor K end, fun erlang:abs/1, fun(X) -> X - K end]].

%% Variables from outside the fun, more than there are machine registers.
environment(0, _, Acc) -> Acc;
environment(N, F, Acc) -> environment(N - 1, F, F(N, Acc)).
environment() ->
    [begin
         [A, B, C, D, E, G, H, I] = [X * K || X <- lists:seq(1, 8)],
         F = fun(X, Acc) -> (X + A + B * C - D + E * G - H + I + Acc) band 16#FFFFFFF end,
         Big = fun(X, Acc) -> [{X, A, B, C, D, E, G, H, I} | tail(Acc)] end,
         {environment(?HOT, F, 0), erlang:phash2(environment(?HOT, Big, []))}
     end || K <- [1, 2, 1 bsl 58, 3]].

%% Funs that call funs, and themselves.
deep(0, _) -> [];
deep(N, F) -> [F(N) | deep(N - 1, F)].
deep_funs() ->
    Fact = fun Fact(0) -> 1; Fact(N) -> N * Fact(N - 1) end,
    Add = fun(X) -> fun(Y) -> X + Y end end,
    [erlang:phash2(deep(?HOT, F)) || F <- [fun(N) -> (Add(N))(N + 1) end, fun(N) -> Fact(N rem 15) end, fun(N) -> deep(N rem 5, Add(N)) end]].

%% Exceptions in a fun that was taken in, and calls of what is no fun or takes other arguments.
applied(F, X) -> {F(X)}.
failing_funs() ->
    F = fun(X) -> 100 div X end,
    _ = [applied(F, I) || I <- lists:seq(1, ?HOT * 3)],
    [try applied(G, X) catch C:R:S when is_atom(R) -> {C, R, [{N, A} || {M, N, A, _} <- S, M =:= ?MODULE]};
                             C:{R, _} -> {C, R} end
     || {G, X} <- [{F, 0}, {F, a}, {F, 7}, {fun() -> 1 end, 2}, {none, 2}, {fun(X) -> X end, ok}, {fun erlang:atom_to_list/1, 3}]].

%% A fun that was sent through the external format.
travelled() ->
    F = fun(X, A) -> {X, A, ?HOT} end,
    N = 5,
    G = fun(X, A) -> X * N + A end,
    _ = each(G, lists:seq(1, ?HOT * 3), 0),
    [each(binary_to_term(term_to_binary(H)), lists:seq(1, 3), 0) || H <- [F, G]].

%% A fun whose function is traced once its calls have been taken in.
traced_fun() ->
    F = fun(X, A) -> X + A end,
    Hot = each(F, lists:seq(1, ?HOT * 3), 0),
    {name, Name} = erlang:fun_info(F, name),
    erlang:trace_pattern({?MODULE, Name, 2}, true, [local]),
    erlang:trace(self(), true, [call]),
    Traced = each(F, [1, 2, 3], 0),
    erlang:trace(self(), false, [call]),
    erlang:trace_pattern({?MODULE, Name, 2}, false, [local]),
    {Hot, Traced, [receive {trace, _, call, {_, N, Arguments}} -> {N =:= Name, Arguments} after 1000 -> none end || _ <- [1, 2, 3]],
     receive X -> X after 0 -> none end, each(F, lists:seq(1, ?HOT), 0)}.
