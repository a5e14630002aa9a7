// HeapSizes.swift: the sizes process blocks come in, as OTP has them (visible in system_info(heap_sizes)): 12, 38, then
// each the sum of the two before plus 1, and above 833,026 words steps of a fifth.

public enum HeapSizes {
    public static let minimum = 233

    /// All sizes, ascending; constant after boot.
    nonisolated(unsafe) private static var table: UnsafeMutablePointer<Int>! = nil
    nonisolated(unsafe) public private(set) static var count = 0

    /// Call once, before the first process.
    public static func boot() {
        var sizes = [12, 38]
        while sizes[sizes.count - 1] < 833_026 { sizes.append(sizes[sizes.count - 1] + sizes[sizes.count - 2] + 1) }
        while let last = sizes.last, last < Int.max / 64 { sizes.append(last + last / 5) }
        table = .allocate(capacity: sizes.count)
        table.initialize(from: sizes, count: sizes.count)
        count = sizes.count
    }

    public static subscript(index: Int) -> Int { table[index] }

    /// The smallest size that holds `words`.
    public static func fitting(_ words: Int) -> Int { table[index(words)] }

    /// The size after that.
    static func above(_ words: Int) -> Int { table[index(words) + 1] }

    private static func index(_ words: Int) -> Int {
        var low = 0
        var high = count - 1
        while low < high {
            let middle = (low + high) / 2
            if table[middle] < words { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
