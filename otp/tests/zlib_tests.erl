%% zlib_tests: module zlib. Compressed bytes are compared too: both VMs use the system's zlib.
-module(zlib_tests).
-export([tests/0]).
-compile(nowarn_deprecated_function).

tests() ->
    [{simple, fun simple/0},
     {errors, fun errors/0},
     {streams, fun streams/0},
     {levels, fun levels/0},
     {dictionaries, fun dictionaries/0},
     {params, fun params/0},
     {chunks, fun chunks/0},
     {concatenated, fun concatenated/0},
     {states, fun states/0},
     {controlling_process, fun controlling_process/0},
     {many_vectors, fun many_vectors/0},
     {checksums, fun checksums/0},
     {need_dictionary, fun need_dictionary/0},
     {safe_inflate, fun safe_inflate/0}].

outcome(Fun) ->
    try Fun() of
        Value -> {value, Value}
    catch
        Class:Reason -> {Class, Reason}
    end.

data() -> list_to_binary([[integer_to_list(I * I), $\s] || I <- lists:seq(1, 20000)]).

hash(IOData) -> B = iolist_to_binary(IOData), {byte_size(B), erlang:phash2(B)}.

simple() ->
    D = data(),
    C = zlib:compress(D),
    Z = zlib:zip(D),
    G = zlib:gzip(D),
    [hash(C), hash(Z), hash(G), zlib:uncompress(C) =:= D, zlib:unzip(Z) =:= D, zlib:gunzip(G) =:= D,
     zlib:compress(<<>>), zlib:compress("abc"), zlib:uncompress(zlib:compress(["a", <<"b">>, [$c]])), zlib:gzip("")].

errors() ->
    Good = zlib:compress(data()),
    [outcome(F)
     || F <- [fun() -> zlib:uncompress(<<"garbage">>) end, fun() -> zlib:uncompress(<<>>) end,
              fun() -> zlib:uncompress(binary:part(Good, 0, 1000)) end, fun() -> zlib:uncompress([Good, "x"]) =:= data() end,
              fun() -> zlib:gunzip(<<"garbage">>) end, fun() -> zlib:gunzip(<<31, 139>>) end,
              fun() -> zlib:unzip(<<255, 255, 255>>) end, fun() -> zlib:compress(foo) end,
              fun() -> zlib:compress([a]) end, fun() -> zlib:close(foo) end, fun() -> zlib:deflateInit(foo) end]].

streams() ->
    Z = zlib:open(),
    R = [zlib:deflateInit(Z), hash(zlib:deflate(Z, "hello ")), hash(zlib:deflate(Z, data(), sync)),
         hash(zlib:deflate(Z, <<"x">>, full)), hash(zlib:deflate(Z, [], finish)), zlib:deflateEnd(Z),
         zlib:deflateInit(Z, 9, deflated, -15, 8, default), hash(zlib:deflate(Z, data(), finish)),
         zlib:deflateReset(Z), hash(zlib:deflate(Z, "again", finish)), zlib:deflateEnd(Z), zlib:close(Z)],
    {R, outcome(fun() -> zlib:close(Z) end)}.

levels() ->
    D = data(),
    [begin
         Z = zlib:open(),
         zlib:deflateInit(Z, L, deflated, 15, M, S),
         R = hash(zlib:deflate(Z, D, finish)),
         zlib:close(Z),
         {L, M, S, R}
     end || L <- [none, best_speed, 6, best_compression], M <- [1, 9], S <- [default, filtered, huffman_only, rle]].

dictionaries() ->
    Dict = "0123456789 16 25 36",
    Z = zlib:open(),
    zlib:deflateInit(Z),
    Adler = zlib:deflateSetDictionary(Z, Dict),
    C = zlib:deflate(Z, data(), finish),
    zlib:close(Z),
    Y = zlib:open(),
    zlib:inflateInit(Y),
    First = outcome(fun() -> zlib:inflate(Y, C) end),
    R = [zlib:inflateSetDictionary(Y, Dict), iolist_to_binary(zlib:inflate(Y, [])) =:= data(),
         byte_size(zlib:inflateGetDictionary(Y)), zlib:inflateEnd(Y)],
    zlib:close(Y),
    W = zlib:open(),
    zlib:deflateInit(W, default, deflated, -15, 8, default),
    Raw = zlib:deflateSetDictionary(W, Dict),
    zlib:close(W),
    {Adler, First, R, Raw}.

params() ->
    Z = zlib:open(),
    zlib:deflateInit(Z, 1),
    A = zlib:deflate(Z, data()),
    ok = zlib:deflateParams(Z, 9, filtered),
    B = zlib:deflate(Z, data(), finish),
    zlib:close(Z),
    {zlib:uncompress(iolist_to_binary([A, B])) =:= <<(data())/binary, (data())/binary>>, hash([A, B])}.

chunks() ->
    C = zlib:compress(data()),
    Z = zlib:open(),
    zlib:inflateInit(Z),
    Parts = [zlib:inflate(Z, P) || <<P:100/binary>> <= C],
    Tail = binary:part(C, byte_size(C) div 100 * 100, byte_size(C) rem 100),
    All = iolist_to_binary([Parts, zlib:inflate(Z, Tail)]),
    R = [All =:= data(), zlib:inflateEnd(Z)],
    zlib:inflateInit(Z),
    zlib:inflate(Z, binary:part(C, 0, 50)),
    R ++ [outcome(fun() -> zlib:inflateEnd(Z) end), zlib:close(Z)].

concatenated() ->
    Two = [zlib:gzip("one"), zlib:gzip("two")],
    Z = zlib:open(),
    [begin
         zlib:inflateInit(Z, 31, Mode),
         R = outcome(fun() -> iolist_to_binary(zlib:inflate(Z, Two)) end),
         E = outcome(fun() -> zlib:inflateEnd(Z) end),
         {Mode, R, E}
     end || Mode <- [cut, reset, error]] ++ [zlib:gunzip(Two)].

states() ->
    Z = zlib:open(),
    R = [outcome(F)
         || F <- [fun() -> zlib:deflate(Z, "a") end, fun() -> zlib:inflate(Z, "a") end,
                  fun() -> zlib:deflateEnd(Z) end, fun() -> zlib:inflateReset(Z) end,
                  fun() -> zlib:deflateInit(Z) end, fun() -> zlib:deflateInit(Z) end,
                  fun() -> zlib:inflateInit(Z) end, fun() -> zlib:inflate(Z, "a") end,
                  fun() -> zlib:deflate(Z, a) end, fun() -> zlib:deflate(Z, [1000]) end,
                  fun() -> zlib:deflateInit(Z, 17) end, fun() -> zlib:deflateSetDictionary(Z, foo) end,
                  fun() -> zlib:setBufSize(Z, 100) end, fun() -> zlib:getBufSize(Z) end,
                  fun() -> zlib:setBufSize(Z, foo) end, fun() -> zlib:crc32(Z) end,
                  fun() -> zlib:deflate(Z, "left") end, fun() -> zlib:deflateEnd(Z) end,
                  fun() -> zlib:inflateInit(Z, 99) end, fun() -> zlib:inflateInit(Z, a) end]],
    zlib:close(Z),
    R ++ [outcome(fun() -> zlib:deflateInit(Z) end)].

controlling_process() ->
    Z = zlib:open(),
    zlib:deflateInit(Z),
    Self = self(),
    Try = fun() -> outcome(fun() -> zlib:deflate(Z, "abc", finish) end) end,
    {P, M} = spawn_monitor(fun() ->
                                   First = Try(),
                                   Self ! tried,
                                   receive go -> exit({First, Try()}) end
                           end),
    receive tried -> ok end,
    R = zlib:set_controlling_process(Z, P),
    P ! go,
    Other = receive {'DOWN', M, process, P, What} -> What end,
    {R, Other, Try()}.

many_vectors() ->
    Parts = [binary:copy(<<I>>, 5 + I) || I <- lists:seq(0, 255)],
    Many = lists:append(lists:duplicate(5, Parts)),
    C = zlib:compress(Many),
    {hash(C), zlib:uncompress(C) =:= iolist_to_binary(Many)}.

checksums() ->
    Z = zlib:open(),
    zlib:deflateInit(Z, default, deflated, -15, 8, default),
    C = iolist_to_binary(zlib:deflate(Z, data(), finish)),
    A = zlib:crc32(Z),
    zlib:deflateEnd(Z),
    zlib:inflateInit(Z, -15),
    zlib:inflate(Z, C),
    B = zlib:crc32(Z),
    zlib:close(Z),
    {A, A =:= B, A =:= erlang:crc32(data())}.

need_dictionary() ->
    Z = zlib:open(),
    zlib:deflateInit(Z),
    zlib:deflateSetDictionary(Z, "dictionary"),
    C = iolist_to_binary(zlib:deflate(Z, "dictionary of words", finish)),
    zlib:close(Z),
    Y = zlib:open(),
    zlib:inflateInit(Y),
    A = zlib:safeInflate(Y, C),
    B = outcome(fun() -> zlib:inflateSetDictionary(Y, "wrong") end),
    zlib:inflateSetDictionary(Y, "dictionary"),
    {A, B, zlib:safeInflate(Y, []), outcome(fun() -> zlib:uncompress(C) end)}.

safe_inflate() ->
    C = zlib:compress(binary:copy(<<"0123456789">>, 100000)),
    Z = zlib:open(),
    zlib:inflateInit(Z),
    Sizes = pieces(Z, zlib:safeInflate(Z, C)),
    zlib:close(Z),
    Sizes.

pieces(Z, {continue, Out}) -> [iolist_size(Out) | pieces(Z, zlib:safeInflate(Z, []))];
pieces(_, {finished, Out}) -> [{finished, iolist_size(Out)}].
