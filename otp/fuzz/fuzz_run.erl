%% Runs the modules of fuzz_gen on one VM and prints one line for each function: what all its calls gave, as a hash,
%% and the reductions they took. fuzz_run:show/1 prints every call of one function.
-module(fuzz_run).
-export([main/1, show/1, lim/1, frames/1, plain/2]).

-define(ROUNDS, 3).

%% main([HeapSize, Module...])
main([Size | Modules]) ->
    put(heap_size, list_to_integer(Size)),
    %% Some code that passes of the compiler were left out for is no legal code to OTP's loader.
    logger:set_primary_config(level, none),
    lists:foreach(fun(M) -> run_module(list_to_atom(M)) end, [M || M <- Modules, code:ensure_loaded(list_to_atom(M)) =:= {module, list_to_atom(M)}]),
    halt(0).

%% show([HeapSize, Module, Function])
show([Size, Name, Function]) ->
    put(heap_size, list_to_integer(Size)),
    Module = list_to_atom(Name),
    F = list_to_atom(Function),
    [in_process(fun() -> run(Module, {F, Types}, fun print/3) end) || {N, Types} <- Module:funs(), N =:= F],
    halt(0).

run_module(Module) ->
    lists:foreach(
        fun({F, Types}) ->
            {Hash, Reductions} = in_process(fun() -> run(Module, {F, Types}, fun fold/3) end),
            io:format("~s:~s ~s ~w~n", [Module, F, Hash, Reductions])
        end,
        Module:funs()).

in_process(Work) ->
    {Pid, Monitor} = spawn_opt(fun() -> exit({result, Work()}) end, [monitor, {min_heap_size, get(heap_size)}, {min_bin_vheap_size, get(heap_size)}]),
    receive
        {'DOWN', Monitor, process, Pid, {result, Result}} -> Result;
        {'DOWN', Monitor, process, Pid, Reason} -> {io_lib:format("died ~0p", [Reason]), 0}
    after 120000 -> {"timeout", 0}
    end.

%% Right arguments, then any arguments, then right ones again: what a compiler has bet on comes true, and does not.
run(Module, {F, Types}, Note) ->
    rand:seed(exsss, {erlang:phash2({Module, F}), 1, 2}),
    put(sum, <<>>),
    put(reductions, 0),
    lists:foreach(
        fun(Round) ->
            Kind = if Round =:= 2 -> mixed; true -> right end,
            lists:foreach(fun(_) -> call(Module, F, [argument(T, Kind) || T <- Types], Note) end, lists:seq(1, 30))
        end,
        lists:seq(1, ?ROUNDS)),
    {hex(get(sum)), get(reductions)}.

call(Module, F, Args, Note) ->
    Saved = [{K, get(K)} || K <- [sum, reductions, rand_seed]],
    put(uncounted, 0),
    {_, Before} = process_info(self(), reductions),
    Outcome =
        try {ok, apply(Module, F, Args)}
        catch Class:Reason:Stack -> {Class, Reason, frames(Stack)}
        end,
    {_, After} = process_info(self(), reductions),
    Messages = flush(),
    lists:foreach(fun({K, V}) -> put(K, V) end, Saved),
    Result = {Outcome, Messages, [{K, erase(K)} || K <- [k1, k2, {k, 3}, 4]]},
    Spent = After - Before - get(uncounted),
    put(reductions, get(reductions) + Spent),
    Note(Args, Result, Spent).

fold(_, Result, _) -> put(sum, erlang:md5([get(sum), term_to_binary(plain(Result, 3000), [deterministic])])).

print(Args, Result, Reductions) ->
    io:format("~0tp~n    ~0tp ~w~n", [plain(Args, 3000), plain(Result, 3000), Reductions]).

%% Own frames of a stack trace.
frames(Stack) when is_list(Stack) -> [Frame || Frame <- Stack, element(1, Frame) =/= ?MODULE];
frames(Other) -> Other.

flush() -> receive M -> [M | flush()] after 0 -> [] end.

hex(Bytes) -> [io_lib:format("~2.16.0b", [B]) || <<B>> <= Bytes].

%% ------------------------------------------------------------------------------------------------ arguments

argument(cnt, mixed) -> pick([3, 0, 17, -1, 2.5, a, 1]);
argument(cnt, _) -> rand:uniform(20) - 1;
argument(any, Kind) -> argument(pick([int, float, atom, list, tuple, map, bin, fn]), Kind);
argument(T, mixed) -> case rand:uniform(3) of 1 -> argument(any, right); _ -> extreme(T) end;
argument(num, right) -> argument(pick([int, float]), right);
argument(int, right) -> case rand:uniform(6) of 1 -> rand:uniform(1 bsl 58); _ -> rand:uniform(40) - 8 end;
argument(float, right) -> pick([1.5, -2.0, 0.0, 3.0, 1.0e10, rand:uniform()]);
argument(atom, right) -> pick([a, b, c, true, false, ok, error, undefined, []]);
argument(list, right) -> pick([[], [1, 2, 3], [a, {b, 1}], "string", [[1], [2.0]], [1, a, 3, <<4>>], lists:seq(1, rand:uniform(10))]);
argument(tuple, right) -> pick([{}, {1, 2}, {a, 1}, {r, 1, 2, 3}, {s, x, 2}, {ok, [1]}, {r, a, [], {}}, {7, 7}]);
argument(map, right) -> pick([#{}, #{a => 1}, #{a => 1, b => [2], c => c}, #{1 => 2, 1.0 => 3}, #{<<"k">> => 17, {a} => 4},
    maps:from_list([{I, I} || I <- lists:seq(1, 35)])]);
argument(bin, right) ->
    Bytes = list_to_binary([rand:uniform(256) - 1 || _ <- lists:seq(1, rand:uniform(14))]),
    <<_:5, Bits:21/bits, _/bits>> = <<Bytes/binary, 1, 2, 3, 4>>,
    pick([<<>>, Bytes, Bytes, <<"abc", Bytes/binary>>, Bits, <<"å€x"/utf8>>, <<0:700, Bytes/binary>>]);
argument(fn, right) -> pick([fun(X) -> X end, fun(X) -> {X, X} end, fun(X, Y) -> [X | Y] end, fun lists:reverse/1]).

extreme(int) ->
    Big = pick([1 bsl 59, 1 bsl 60, 1 bsl 63, 1 bsl 64, 1 bsl 100, 1 bsl 31]) + rand:uniform(3) - 2,
    pick([Big, -Big, Big, 0, rand:uniform(1 bsl 59), -rand:uniform(1 bsl 70)]);
extreme(float) -> pick([-0.0, 1.0e308, -1.7e308, 4.9e-324, 1.0e-310, 576460752303423488.0, 0.1]);
extreme(num) -> extreme(pick([int, float]));
extreme(list) -> pick([[1 | 2], [a | b], lists:seq(1, 30), [1 bsl 70, 2.5], [[] | []]]);
extreme(tuple) -> list_to_tuple(lists:seq(1, rand:uniform(6)));
extreme(map) -> pick([maps:from_list([{I, {I}} || I <- lists:seq(1, 100)]), #{[] => #{}}, #{a => 1 bsl 80, b => -0.0}]);
extreme(bin) -> pick([<<1:1>>, <<255:9>>, <<0:1000>>, <<16#D800:16, 16#FFFF:16>>, <<16#7FF0000000000000:64>>]);
extreme(T) -> argument(T, right).

pick(List) -> lists:nth(rand:uniform(length(List)), List).

%% ------------------------------------------------------------------------------------------------ values

%% Keeps what is carried from one iteration or call to the next from growing.
lim(X) when is_integer(X), X < 1 bsl 200, X > -(1 bsl 200) -> X;
lim(X) when is_integer(X) -> X rem ((1 bsl 190) + 7);
lim(X) when is_float(X); is_atom(X) -> X;
lim(X) when is_bitstring(X), bit_size(X) < 2000 -> X;
lim(X) when is_bitstring(X) -> <<Y:1999/bits, _/bits>> = X, Y;
lim(X) ->
    case weigh(X, 200) of
        Left when Left > 0 -> X;
        _ when is_list(X) -> [];
        _ when is_tuple(X) -> {cut};
        _ when is_map(X) -> #{cut => cut};
        _ -> cut
    end.

%% What is left of a budget once the parts of the term have been counted.
weigh(_, Budget) when Budget =< 0 -> 0;
weigh([H | T], Budget) -> weigh(T, weigh(H, Budget - 1));
weigh(X, Budget) when is_tuple(X) -> weigh(tuple_to_list(X), Budget);
weigh(X, Budget) when is_map(X) -> weigh(in_order(X), Budget);
weigh(X, Budget) when is_integer(X), (X > 1 bsl 200 orelse X < -(1 bsl 200)) -> Budget - 100;
weigh(X, Budget) when is_bitstring(X) -> Budget - 1 - byte_size(X) div 32;
weigh(X, Budget) when is_function(X) -> {env, Env} = erlang:fun_info(X, env), weigh(Env, Budget - 1);
weigh(_, Budget) -> Budget - 1.

%% The order of a large map's keys depends on the numbers of atoms, and those on the command line: what sorting costs is
%% not counted.
in_order(Map) -> uncounted(fun() -> lists:sort(maps:to_list(Map)) end).

uncounted(Work) ->
    {_, Before} = process_info(self(), reductions),
    Result = Work(),
    {_, After} = process_info(self(), reductions),
    put(uncounted, get(uncounted) + After - Before),
    Result.

%% Funs, pids and references are not the same on two VMs. What is too large is cut.
plain(X, Budget) -> uncounted(fun() -> element(1, plain1(X, Budget)) end).

plain1(_, Budget) when Budget =< 0 -> {cut, 0};
plain1([H | T], Budget) ->
    {H1, Left} = plain1(H, Budget - 1),
    {T1, Left1} = plain1(T, Left),
    {[H1 | T1], Left1};
plain1(X, Budget) when is_tuple(X) ->
    {List, Left} = plain1(tuple_to_list(X), Budget),
    {list_to_tuple([tuple | if is_list(List) -> List; true -> [List] end]), Left};
plain1(X, Budget) when is_map(X) ->
    {List, Left} = plain1(lists:sort(fun(A, B) -> order(A) =< order(B) end, maps:to_list(X)), Budget),
    {{map, List}, Left};
plain1(X, Budget) when is_function(X) -> {{function, element(2, erlang:fun_info(X, arity))}, Budget - 1};
plain1(X, Budget) when is_pid(X) -> {pid, Budget - 1};
plain1(X, Budget) when is_reference(X) -> {reference, Budget - 1};
plain1(X, Budget) -> {X, Budget - 1}.

%% Integer keys sort before floats, so that 1 and 1.0 have an order.
order({K, V}) -> {K, is_float(K), V}.
