%% Heap tests that native code merges: over the rounds of a loop, with inlined calls, with other uses of the heap between
%% them. Each runs in processes of several heap sizes, so that the heap is full at every place once.
-module(heap_room_tests).
-export([tests/0]).

tests() ->
    [{Name, fun() -> everywhere(Run) end}
     || {Name, Run} <- [{rounds, fun rounds/1}, {branches, fun branches/1}, {recursion, fun recursion/1},
                        {inlined, fun inlined/1}, {floats, fun floats/1}, {binaries, fun binaries/1},
                        {updates, fun updates/1}, {bignums, fun bignums/1}, {funs, fun funs/1}, {caught, fun caught/1},
                        {idle, fun idle/1}]].

%% The same result in heaps of many sizes, after work that makes the function hot.
everywhere(Run) ->
    Expected = [Run(N) || N <- [0, 1, 5, 300]],
    Run(20000),
    Results = [run(Run, Size, N) || Size <- [233, 234, 235, 240, 377, 400, 987], N <- [0, 1, 5, 300]],
    {erlang:phash2(Expected), [X || X <- Expected, _ <- [1 || lists:member(X, Results)]] =:= Expected,
     length(lists:usort(Results)) =:= length(lists:usort(Expected))}.

run(Run, Size, N) ->
    {Pid, Ref} = spawn_opt(fun() -> exit({result, [Run(N) || _ <- lists:seq(1, 20)]}) end, [monitor, {min_heap_size, Size}]),
    receive
        {'DOWN', Ref, process, Pid, {result, [First | Rest]}} -> [First] = lists:usort([First | Rest]), First;
        {'DOWN', Ref, process, Pid, Reason} -> Reason
    end.

rounds(N) -> rounds(N, [], []).
rounds(0, A, B) -> {A, B};
rounds(N, A, B) -> rounds(N - 1, [N | A], [{N, A == []} | B]).

%% Rounds that want nothing, a little and much.
branches(N) -> branches(N, []).
branches(0, A) -> A;
branches(N, A) when N band 3 =:= 0 -> branches(N - 1, A);
branches(N, A) when N band 3 =:= 1 -> branches(N - 1, [N | A]);
branches(N, A) -> branches(N - 1, [{N, N + 1, N + 2, N + 3, [N, N, N]} | A]).

recursion(0) -> [];
recursion(N) -> [{N} | recursion(N - 1)].

pair(X, Y) -> {X, Y}.
triple(X, Y) -> {X, pair(X, Y), pair(Y, X)}.
inlined(N) -> inlined(N, []).
inlined(0, A) -> A;
inlined(N, A) ->
    P = triple(N, N + 1),
    Q = pair(P, element(2, P)),
    case N band 1 of
        0 -> inlined(N - 1, [Q | A]);
        1 -> inlined(N - 1, [[Q, P] | A])
    end.

floats(N) -> floats(N, 1.0, 0.5, []).
floats(0, X, Y, A) -> {X, Y, A};
floats(N, X, Y, A) ->
    Z = X * 0.75 + Y,
    case N band 3 of
        0 -> floats(N - 1, Z, Y - 0.25, [Z | A]);
        _ -> floats(N - 1, Z - 0.5, Y + 0.125, A)
    end.

binaries(N) -> binaries(N, <<N:32, "abcdefgh">>, []).
binaries(0, B, A) -> {B, A};
binaries(N, <<X, Rest/binary>> = B, A) ->
    T = {X, N},
    C = <<Rest/binary, (N band 255)>>,
    L = [T, byte_size(B) | A],
    binaries(N - 1, C, [{L =:= [], C} | A]).

updates(N) -> updates(N, {a, 0, []}, #{}).
updates(0, T, M) -> {T, M};
updates(N, T, M) ->
    L = [N],
    U = setelement(2, T, {N, L}),
    V = setelement(3, U, [N | L]),
    updates(N - 1, V, M#{N band 7 => {L, N}, last => V}).

bignums(N) -> bignums(N, 1 bsl 58, []).
bignums(0, X, A) -> {X, A};
bignums(N, X, A) ->
    P = {N, N},
    Y = (X + N) * 3 rem (1 bsl 61),
    bignums(N - 1, Y, [{P, Y, N + 1} | A]).

funs(N) -> funs(N, fun(X) -> X end, []).
funs(0, F, A) -> {F(1), A};
funs(N, F, A) ->
    P = {N},
    funs(N - 1, fun(X) -> {X, P} end, [F(N), P | A]).

caught(N) -> caught(N, []).
caught(0, A) -> A;
caught(N, A) ->
    P = {N, N},
    R = try fails(N) catch throw:T -> {T, P} end,
    caught(N - 1, [[R | P] | A]).
fails(N) when N band 1 =:= 0 -> throw({even, N});
fails(N) -> [N].

%% Frames come and go in a heap that is nearly full.
idle(N) -> [down(D) || D <- lists:seq(1, min(N, 20)), _ <- lists:seq(1, 50)].
down(0) -> 0;
down(N) -> 1 + down(N - 1).
