%% Mutated external terms. For each number of a range: makes a random term, encodes it, damages the bytes, decodes them
%% with and without `safe`, and uses what came out. Prints a hash for each number, so that two VMs can be compared.
-module(term_fuzz).
-export([main/1, show/1]).

main([First, Last]) ->
    each(list_to_integer(First), list_to_integer(Last)),
    io:put_chars("end\n"),
    halt(0).

each(N, Last) when N > Last -> ok;
each(N, Last) ->
    Bytes = mutant(N),
    Hash = integer_to_list(erlang:phash2(outcomes(Bytes))),
    io:put_chars([integer_to_list(N), $\s, Hash, [" lenient" || is_lenient(Bytes)], $\n]),
    each(N + 1, Last).

%% OTP may take what it should refuse: tags that are meant for its own use ($I to $L), and references of no numbers, for
%% which it reads on behind the end. Of a fun, we do not keep an old index that differs from the index.
is_lenient(<<131, 112, _/binary>>) -> true;
is_lenient(Bytes) ->
    binary:match(Bytes, [<<73>>, <<74>>, <<75>>, <<76>>, <<90, 0, 0>>, <<114, 0, 0>>]) =/= nomatch.

%% Everything about one number, for a person.
show([Number]) ->
    Bytes = mutant(list_to_integer(Number)),
    io:format("~0p~n~0tp~n", [Bytes, outcomes(Bytes)]),
    halt(0).

%% What decoding answers. With `safe` it depends on the atoms that are there, which is not the same in two VMs (OTP checks
%% the form of everything before it makes an atom), so it only has to be refused or to be no different.
outcomes(Bytes) ->
    Safe = outcome(Bytes, [safe, used]),
    Used = outcome(Bytes, [used]),
    {Safe =:= badarg orelse Safe =:= Used, Used, outcome(Bytes, [])}.

outcome(Bytes, Options) ->
    try binary_to_term(Bytes, Options) of
        Decoded -> try used(Decoded, Options) catch throw:Incomparable -> Incomparable end
    catch
        error:badarg -> badarg
    end.

used({Term, Used}, [_ | _]) -> {Used, use(Term)};
used(Term, []) -> use(Term).

%% Does something with each part of a term.
use(Term) ->
    Parts = parts(Term),
    Copy = binary_to_term(term_to_binary(Term)),
    {erlang:phash2(Term), erts_debug:flat_size(Term), Copy =:= Term, lists:sort([Copy, Term, x]) =:= [x, Term, Copy],
     erlang:phash2(term_to_binary(Term)), Parts}.

parts(Map) when map_size(Map) > 32 ->
    %% The order of atoms in a hashed map is that of their numbers.
    lists:all(fun is_integer/1, maps:keys(Map)) orelse throw(order_of_atoms),
    {map, map_size(Map), parts(lists:sort(maps:to_list(Map)))};
parts(Map) when is_map(Map) -> {map, map_size(Map), parts(lists:sort(maps:to_list(Map)))};
parts(Tuple) when is_tuple(Tuple) -> {tuple, parts(tuple_to_list(Tuple))};
parts([Head | Tail]) -> [parts(Head) | parts(Tail)];
parts(Fun) when is_function(Fun) ->
    %% The real VM takes any term as the creator of a fun, and dies when it encodes such a fun.
    {type, Type} = erlang:fun_info(Fun, type),
    {pid, Pid} = case Type of local -> erlang:fun_info(Fun, pid); external -> {pid, self()} end,
    is_pid(Pid) orelse throw(no_creator),
    {'fun', [element(2, erlang:fun_info(Fun, Item)) || Item <- [module, arity, type]]};
parts(Term) when is_pid(Term); is_port(Term); is_reference(Term) -> {node(Term), Term < x};
parts(Term) -> Term.

%% The damaged encoding number N.
mutant(N) ->
    rand:seed(exsss, {N, 17, 42}),
    Options = pick([[], [], [], [compressed], [{compressed, 9}], [{minor_version, 0}], [{minor_version, 1}]]),
    damage(encode(term(3), Options, N), rand:uniform(3)).

encode(Term, Options, N) ->
    case rand:uniform(4) of
        1 -> <<131, (raw(Term, N))/binary>>;
        _ -> term_to_binary(Term, Options)
    end.

%% Forms that term_to_binary does not write (any more).
raw(Term, N) ->
    Name = <<100, 3:16, "nda">>,
    case rand:uniform(9) of
        1 -> <<103, Name/binary, (rand:uniform(70000)):32, 3:32, 1>>;
        2 -> <<102, Name/binary, 77:32, 2>>;
        3 -> <<101, Name/binary, 77:32, 2>>;
        4 -> <<114, 3:16, Name/binary, 3, 1:32, 2:32, 3:32>>;
        5 -> <<90, 5:16, Name/binary, 7:32, 1:32, 2:32, 3:32, 4:32, 5:32>>;
        6 -> <<88, Name/binary, 1:32, 2:32, 9:32>>;
        7 -> <<120, Name/binary, 12345678901:64, 9:32>>;
        8 -> <<99, "1.50000000000000000000e+00", 0, 0, 0, 0, 0>>;
        9 ->
            <<131, Bytes/binary>> = term_to_binary(Term),
            <<112, (30 + byte_size(Bytes)):32, 1, N:128, 0:32, 1:32, 119, 3, "mod", 97, 0, 97, 9, 103, Name/binary,
              1:32, 2:32, 3, Bytes/binary>>
    end.

damage(Bytes, 0) -> Bytes;
damage(Bytes, Times) ->
    Size = byte_size(Bytes),
    At = rand:uniform(Size + 1) - 1,
    <<Front:At/binary, Back/binary>> = Bytes,
    Damaged =
        case {rand:uniform(8), Back} of
            {1, _} -> Front;
            {2, <<Byte, Rest/binary>>} -> <<Front/binary, (Byte bxor (1 bsl (rand:uniform(8) - 1))), Rest/binary>>;
            {3, <<_, Rest/binary>>} -> <<Front/binary, (tag()), Rest/binary>>;
            {4, _} -> <<Front/binary, (tag()), Back/binary>>;
            {5, <<_, Rest/binary>>} -> <<Front/binary, Rest/binary>>;
            {6, <<_:32, Rest/binary>>} -> <<Front/binary, (length_word()):32, Rest/binary>>;
            {7, <<_:16, Rest/binary>>} -> <<Front/binary, (length_word()):16, Rest/binary>>;
            {8, _} -> <<Front/binary, (rand:uniform(256) - 1), Back/binary>>;
            _ -> Bytes
        end,
    case Damaged of
        <<>> -> Bytes;
        _ -> damage(Damaged, Times - 1)
    end.

tag() ->
    pick([131, 70, 77, 80, 82, 88, 89, 90, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112,
        113, 114, 115, 116, 117, 118, 119, 120, 0, 255]).

length_word() -> pick([0, 1, 2, 255, 256, 65535, 65536, 1 bsl 24, 1 bsl 27, 1 bsl 31, (1 bsl 32) - 1, rand:uniform(64)]).

%% Atoms begin with a letter of another script: the atoms that both VMs happen to know are none of them.
term(0) ->
    pick([rand:uniform(256) - 1, -rand:uniform(100000), rand:uniform(1 bsl 70), -rand:uniform(1 bsl 59), -(1 bsl 59),
        (1 bsl 59), rand:uniform() * 1000, [], {}, #{}, 'жa', 'жб', ndä, rand:bytes(rand:uniform(20)),
        <<(rand:uniform(999)):13>>, "text", fun lists:map/2, fun ndb:ndc/3, <<>>, 1 bsl 2100, -0.0]);
term(Depth) ->
    case rand:uniform(6) of
        1 -> terms(Depth);
        2 -> list_to_tuple(terms(Depth));
        3 -> maps:from_list([{term(Depth - 1), term(Depth - 1)} || _ <- lists:seq(1, rand:uniform(5))]);
        4 -> maps:from_list([{I, term(0)} || I <- lists:seq(1, 30 + rand:uniform(8))]);
        5 -> terms(Depth) ++ term(Depth - 1);
        6 -> term(0)
    end.

terms(Depth) -> [term(Depth - 1) || _ <- lists:seq(1, rand:uniform(5))].

pick(List) -> lists:nth(rand:uniform(length(List)), List).
