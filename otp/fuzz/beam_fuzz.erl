%% Mutated .beam files. For each number of a range: takes a file, damages it, loads it and calls what it exports. Prints
%% a line for each number: how the loading ended and how many calls came back, so that a crash has a number.
%%
%% Files are damaged in three ways: anywhere in the bytes (flips, cuts, insertions), in the size or name of a chunk, and
%% in the bytes of one chunk after it was taken out of the file (which stays well formed around it). With `code` as the
%% kind, only operands and opcodes in the Code chunk change, so that most mutants can be loaded. Everything exported by
%% what loads is called, in processes with little time and memory.
-module(beam_fuzz).
-export([main/1]).

main([Kind, First, Last | Files]) ->
    process_flag(trap_exit, true),
    logger:set_primary_config(level, none),
    each(list_to_atom(Kind), list_to_integer(First), list_to_integer(Last), list_to_tuple([read(F) || F <- Files])),
    io:put_chars("end\n"),
    halt(0).

read(Name) ->
    {ok, Bytes} = file:read_file(Name),
    {ok, Module, Chunks} = beam_lib:all_chunks(Bytes),
    {ok, {Module, [{exports, Exports}]}} = beam_lib:chunks(Bytes, [exports]),
    {Module, Bytes, Chunks, Exports}.

each(_, N, Last, _) when N > Last -> ok;
each(Kind, N, Last, Files) ->
    {Module, Mutant, Exports} = mutant(Kind, N, Files),
    io:put_chars([integer_to_list(N), $\s, load(Module, Mutant, Exports), $\n]),
    each(Kind, N + 1, Last, Files).

mutant(Kind, N, Files) ->
    rand:seed(exsss, {N, 99, 7}),
    {Module, Bytes, Chunks, Exports} = element(rand:uniform(tuple_size(Files)), Files),
    Mutant =
        case {Kind, rand:uniform(3)} of
            {code, _} -> change_code(Chunks);
            {any, 1} -> damage(Bytes, rand:uniform(3));
            {any, 2} -> damage_header(Bytes, Chunks);
            {any, 3} -> damage_chunk(Chunks)
        end,
    {Module, Mutant, Exports}.

load(Module, Mutant, Exports) ->
    case erlang:prepare_loading(Module, Mutant) of
        {error, Reason} -> atom_to_list(Reason);
        Prepared -> call(Module, Prepared, Exports)
    end.

call(Module, Prepared, Exports) ->
    code:purge(Module),
    case erlang:finish_loading([Prepared]) of
        ok ->
            Ends = [call_one(Module, Name, Arity) || {Name, Arity} <- lists:sort(Exports), _ <- [1, 2]],
            code:delete(Module),
            code:purge(Module),
            Refused = length([1 || {{badfile, _, _}, _} <- Ends]),
            [case Refused of 0 -> "called "; _ -> "refused " end, integer_to_list(length(Ends))];
        Refused -> io_lib:format("~0p", [Refused])
    end.

call_one(Module, Name, Arity) ->
    Arguments = [argument() || _ <- lists:seq(1, Arity)],
    {Pid, Monitor} = spawn_opt(fun() -> apply(Module, Name, Arguments) end,
        [monitor, {max_heap_size, #{size => 1000000, error_logger => false}}]),
    receive {'DOWN', Monitor, process, Pid, Reason} -> Reason
    after 100 -> exit(Pid, kill), receive {'DOWN', Monitor, process, Pid, _} -> killed end
    end.

argument() ->
    pick([1, 0, -7, 3.5, [], [1, 2, 3], [{a, 1}, {b, 2}], "text", <<"binary">>, #{a => 1}, {}, {a, b}, a, true, self(),
        fun(X) -> X end, fun(X, Y) -> {X, Y} end, make_ref(), 1 bsl 80, {0, nil}, {1, {a, b, nil, nil}}, {[], []}]).

%% Bytes anywhere.
damage(Bytes, 0) -> Bytes;
damage(<<>>, _) -> <<>>;
damage(Bytes, Times) ->
    At = rand:uniform(byte_size(Bytes)) - 1,
    <<Front:At/binary, Byte, Back/binary>> = Bytes,
    Damaged =
        case rand:uniform(7) of
            1 -> Front;
            2 -> <<Front/binary, Back/binary>>;
            3 -> <<Front/binary, (rand:uniform(256) - 1), Byte, Back/binary>>;
            4 -> <<Front/binary, (number()):32, Back/binary>>;
            5 -> <<Front/binary, (rand:uniform(256) - 1), Back/binary>>;
            _ -> <<Front/binary, (Byte bxor (1 bsl (rand:uniform(8) - 1))), Back/binary>>
        end,
    damage(Damaged, Times - 1).

number() -> pick([0, 1, 16#7F, 16#FF, 16#FFFF, 16#7FFFFFFF, 16#80000000, 16#FFFFFFFF, rand:uniform(1000)]).

%% The name or the size of a chunk, or of the whole form.
damage_header(<<Form:4/binary, Size:32, "BEAM", Rest/binary>>, Chunks) ->
    case rand:uniform(5) of
        1 -> <<Form/binary, (number()):32, "BEAM", Rest/binary>>;
        _ ->
            Skip = chunk_start(rand:uniform(length(Chunks)) - 1, Rest, 0),
            <<Front:Skip/binary, Name:4/binary, ChunkSize:32, Back/binary>> = Rest,
            NewSize = pick([ChunkSize - 1, ChunkSize + 1, ChunkSize + 4, ChunkSize - 4, ChunkSize bxor 256, number()]),
            Other = element(1, lists:nth(rand:uniform(length(Chunks)), Chunks)),
            NewHeader = pick([<<Name/binary, NewSize:32>>, <<(list_to_binary(Other))/binary, ChunkSize:32>>,
                <<"Zzzz", ChunkSize:32>>]),
            <<Form/binary, Size:32, "BEAM", Front/binary, NewHeader/binary, Back/binary>>
    end.

chunk_start(0, _, Offset) -> Offset;
chunk_start(N, <<_:32, Size:32, Rest/binary>>, Offset) ->
    Padded = (Size + 3) band -4,
    <<_:Padded/binary, Next/binary>> = Rest,
    chunk_start(N - 1, Next, Offset + 8 + Padded).

%% The bytes of one chunk, mostly Code; literals are damaged within what is compressed too.
damage_chunk(Chunks) ->
    Ids = [Id || {Id, Data} <- Chunks, Data =/= <<>>],
    Id = pick(["Code", "Code", "Code", "LitT" | Ids]),
    {ok, Bytes} = beam_lib:build_module([{I, damage_data(I, Id, Data)} || {I, Data} <- Chunks]),
    Bytes.

change_code(Chunks) ->
    {ok, Bytes} = beam_lib:build_module([{I, change_code(I, Data)} || {I, Data} <- Chunks]),
    Bytes.

change_code("Code", <<Head:24/binary, Code/binary>>) ->
    Instructions = list_to_tuple(instructions(Code)),
    New = change_instructions(Instructions, rand:uniform(2)),
    <<Head/binary, (iolist_to_binary(tuple_to_list(New)))/binary>>;
change_code(_, Data) -> Data.

change_instructions(Instructions, 0) -> Instructions;
change_instructions(Instructions, Times) ->
    At = rand:uniform(tuple_size(Instructions)),
    change_instruction(At, element(At, Instructions), Instructions, Times).

change_instruction(At, [Opcode | Operands] = Instruction, Instructions, Times) when is_integer(Opcode) ->
    Other = element(rand:uniform(tuple_size(Instructions)), Instructions),
    Changed =
        case rand:uniform(12) of
            1 -> [];
            2 -> [Instruction, Instruction];
            3 -> [Instruction | Other];
            4 -> Other;
            5 -> similar(Opcode, Instruction, Instructions, 20);
            _ when Operands =:= [] -> Instruction;
            _ ->
                N = rand:uniform(length(Operands)),
                {Front, [Operand | Back]} = lists:split(N - 1, Operands),
                [Opcode | Front] ++ [change_operand(Operand) | Back]
        end,
    change_instructions(setelement(At, Instructions, Changed), Times - 1);
change_instruction(_, _, Instructions, Times) ->
    change_instructions(Instructions, Times - 1).

%% The operands with the opcode of another instruction that has as many.
similar(_, Instruction, _, 0) -> Instruction;
similar(Opcode, Instruction, Instructions, Tries) ->
    case element(rand:uniform(tuple_size(Instructions)), Instructions) of
        [Other | Operands] when Other =/= Opcode, length(Operands) =:= length(Instruction) - 1 -> [Other | tl(Instruction)];
        _ -> similar(Opcode, Instruction, Instructions, Tries - 1)
    end.

%% A little more or less, or an x register for a y register.
change_operand(<<Value:4, 0:1, Kind:3, Rest/binary>>) when Kind =/= 7 ->
    case rand:uniform(3) of
        1 when Kind =:= 3; Kind =:= 4 -> <<Value:4, 0:1, (7 - Kind):3, Rest/binary>>;
        2 -> <<(rand:uniform(16) - 1):4, 0:1, Kind:3, Rest/binary>>;
        _ -> <<(Value + pick([1, -1, 2])):4, 0:1, Kind:3, Rest/binary>>
    end;
change_operand(<<Value:3, 1:2, Kind:3, Low, Rest/binary>>) when Kind =/= 7 ->
    <<Value:3, 1:2, Kind:3, (Low + pick([1, -1, 2, -2, 8])), Rest/binary>>;
change_operand(Operand) -> change_operands(Operand, 1).

%% Each instruction as its opcode and its operands' bytes.
instructions(<<>>) -> [];
instructions(<<Opcode, Rest/binary>>) ->
    {_, Arity} = beam_opcodes:opname(Opcode),
    {Operands, Next} = operands(Arity, Rest),
    [[Opcode | Operands] | instructions(Next)].

operands(0, Code) -> {[], Code};
operands(N, Code) ->
    Size = operand_size(Code),
    <<Operand:Size/binary, Rest/binary>> = Code,
    {Operands, Next} = operands(N - 1, Rest),
    {[Operand | Operands], Next}.

operand_size(<<16#17, Rest/binary>>) -> list_size(1, Rest);
operand_size(<<16#37, Rest/binary>>) -> list_size(2, Rest);
operand_size(<<16#57, Rest/binary>>) -> 1 + sizes(2, Rest);
operand_size(<<_:5, 7:3, Rest/binary>>) -> 1 + operand_size(Rest);
operand_size(<<_:4, 0:1, _:3, _/binary>>) -> 1;
operand_size(<<_:3, 1:2, _:3, _/binary>>) -> 2;
operand_size(<<7:3, 3:2, _:3, Rest/binary>>) -> 1 + operand_size(Rest) + 9 + small(Rest);
operand_size(<<N:3, 3:2, _:3, _/binary>>) -> N + 3.

list_size(Each, Rest) -> 1 + operand_size(Rest) + sizes(Each * small(Rest), after_operand(Rest)).

sizes(0, _) -> 0;
sizes(N, Code) -> operand_size(Code) + sizes(N - 1, after_operand(Code)).

after_operand(Code) -> element(2, split_binary(Code, operand_size(Code))).

small(<<Value:4, 0:1, _:3, _/binary>>) -> Value;
small(<<High:3, 1:2, _:3, Low, _/binary>>) -> High * 256 + Low.

damage_data(Id, Id, Data) when Id =:= "LitT" ->
    case {rand:uniform(4), Data} of
        {1, _} -> damage(Data, rand:uniform(2));
        {_, <<Size:32, Compressed/binary>>} ->
            Damaged = damage(zlib:uncompress(Compressed), rand:uniform(2)),
            <<(pick([Size, byte_size(Damaged), byte_size(Damaged)])):32, (zlib:compress(Damaged))/binary>>
    end;
damage_data(Id, Id, <<Head:24/binary, Code/binary>> = Data) when Id =:= "Code" ->
    case rand:uniform(2) of
        1 -> damage(Data, rand:uniform(3));
        2 -> <<Head/binary, (change_operands(Code, rand:uniform(4)))/binary>>
    end;
damage_data(Id, Id, Data) -> damage(Data, rand:uniform(3));
damage_data(_, _, Data) -> Data.

%% Another value in a byte whose low bits, the kind of an operand, stay.
change_operands(Code, 0) -> Code;
change_operands(Code, Times) ->
    At = rand:uniform(byte_size(Code)) - 1,
    <<Front:At/binary, _:4, Kind:4, Back/binary>> = Code,
    change_operands(<<Front/binary, (rand:uniform(16) - 1):4, Kind:4, Back/binary>>, Times - 1).

pick(List) -> lists:nth(rand:uniform(length(List)), List).
