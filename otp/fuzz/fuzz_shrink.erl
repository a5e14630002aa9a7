%% Makes a module of fuzz_gen smaller as long as one of its functions gives other results on Enigma than on the real VM.
-module(fuzz_shrink).
-export([main/1]).

-define(SECONDS, 120).

%% main([Folder, HeapSize, Module, Function, Command...]): prints the smallest module found within SECONDS. Command starts
%% the other VM.
main([Folder, Size, Module, Function | Command]) ->
    {ok, Forms} = epp:parse_file(filename:join(Folder, Module ++ ".erl"), []),
    Work = filename:join(Folder, "shrink"),
    ok = filelib:ensure_dir(filename:join(Work, "x")),
    {ok, _} = file:copy(code:which(fuzz_run), filename:join(Work, "fuzz_run.beam")),
    Arguments = [" -noshell -pa ", Work, " -run fuzz_run main ", Size, " ", Module],
    Differs = fun(Small) -> compiled(Small, Work, Module) andalso output(["erl"], Arguments) =/= output(Command, Arguments) end,
    Alone = alone(Forms, list_to_atom(Function)),
    Start = case Differs(Alone) of true -> Alone; false -> Forms end,
    Stop = erlang:monotonic_time(second) + ?SECONDS,
    Small = shrink(Start, 1, Differs, Stop),
    [io:put_chars(erl_pp:form(F)) || F <- Small, element(1, F) =:= function],
    halt(0).

%% The module with one function to run; it and what it calls is kept.
alone(Forms, Name) ->
    Table = [E || {function, _, funs, 0, [{clause, _, [], [], [List]}]} <- Forms, E <- elements(List), element(3, hd(element(3, E))) =:= Name],
    Kept = reached([Name], [], Forms),
    [case F of
         {function, L, funs, 0, _} -> {function, L, funs, 0, [{clause, L, [], [], [{cons, L, hd(Table), {nil, L}}]}]};
         {attribute, L, export, Exports} -> {attribute, L, export, [E || {N, _} = E <- Exports, N =:= Name orelse N =:= funs]};
         _ -> F
     end || F <- Forms, element(1, F) =/= function orelse lists:member(element(3, F), [funs | Kept])].

elements({cons, _, Head, Tail}) -> [Head | elements(Tail)];
elements(_) -> [].

reached([], Seen, _) -> Seen;
reached([Name | Rest], Seen, Forms) ->
    Defined = [N || {function, _, N, _, _} <- Forms],
    Used = case lists:keyfind(Name, 3, [F || {function, _, _, _, _} = F <- Forms]) of false -> []; F -> atoms(F) end,
    New = [N || N <- lists:usort(Used), lists:member(N, Defined), not lists:member(N, [Name | Rest ++ Seen])],
    reached(New ++ Rest, [Name | Seen], Forms).

atoms(A) when is_atom(A) -> [A];
atoms([H | T]) -> atoms(H) ++ atoms(T);
atoms(T) when is_tuple(T) -> atoms(tuple_to_list(T));
atoms(_) -> [].

compiled(Forms, Work, Module) ->
    Index = list_to_integer(lists:last(string:lexemes(Module, "_"))),
    case compile:forms(Forms, [binary, return | fuzz_gen:options(Index)]) of
        {ok, _, Beam, _} -> ok =:= file:write_file(filename:join(Work, Module ++ ".beam"), Beam);
        _ -> false
    end.

%% Hashes of results alone: reductions follow them.
output(Command, Arguments) ->
    Lines = string:lexemes(os:cmd(lists:join(" ", ["timeout 60" | Command]) ++ lists:flatten(Arguments)), "\n"),
    [lists:sublist(string:lexemes(L, " "), 2) || L <- Lines].

%% Tries at each place of the tree, from the outside, what could stand there instead. Place: the number of the next node.
shrink(Forms, Place, Differs, Stop) ->
    {Functions, Others} = lists:partition(fun(F) -> element(1, F) =:= function andalso element(3, F) =/= funs end, Forms),
    {Head, End} = lists:splitwith(fun(F) -> element(1, F) =/= eof end, Others),
    case nth_node(Functions, Place) of
        {found, Node} ->
            Smaller = [Head ++ element(1, walk(Functions, Place, fun(_) -> R end)) ++ End || R <- instead(Node)],
            case lists:search(fun(V) -> erlang:monotonic_time(second) < Stop andalso Differs(V) end, Smaller) of
                {value, Found} -> shrink(Found, Place, Differs, Stop);
                false -> shrink(Forms, Place + 1, Differs, Stop)
            end;
        none -> Forms
    end.

%% A node is a tuple with a tag and a position, or a list of several nodes.
is_node([A, _ | _]) -> is_node(A);
is_node(T) -> is_tuple(T) andalso tuple_size(T) > 2 andalso is_atom(element(1, T)) andalso is_position(element(2, T)).

is_position(P) -> is_integer(P) orelse (is_tuple(P) andalso tuple_size(P) =:= 2 andalso is_integer(element(1, P))).

instead(List) when is_list(List) -> [lists:sublist(List, I - 1) ++ lists:nthtail(I, List) || I <- lists:seq(1, length(List))];
instead(Node) when element(1, Node) =:= function; element(1, Node) =:= clause; element(1, Node) =:= atom; element(1, Node) =:= var -> [];
instead(Node) when element(1, Node) =:= integer -> [];
instead(Node) ->
    Parts = lists:flatten([P || P <- tuple_to_list(Node), is_node(P) orelse is_list(P)]),
    [{atom, element(2, Node), a}] ++ [P || P <- Parts, is_node(P), element(1, P) =/= clause].

nth_node(Tree, N) -> try walk(Tree, N, fun(Node) -> throw({found, Node}) end), none catch throw:Found -> Found end.

%% Counts nodes in depth-first order, outer ones first, and acts on the one whose number is reached.
walk(Tree, N, _) when N < 1 -> {Tree, N};
walk(Tree, N, Act) ->
    case is_node(Tree) of
        true when N =:= 1 -> {Act(Tree), 0};
        true -> parts(Tree, N - 1, Act);
        false -> parts(Tree, N, Act)
    end.

parts(Tree, N, Act) when is_list(Tree) -> lists:mapfoldl(fun(T, Left) -> walk(T, Left, Act) end, N, Tree);
parts(Tree, N, Act) when is_tuple(Tree) ->
    {List, Left} = parts(tuple_to_list(Tree), N, Act),
    {list_to_tuple(List), Left};
parts(Tree, N, _) -> {Tree, N}.
