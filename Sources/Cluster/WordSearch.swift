// Finding words in what a node says. The searches of the standard library work on any collection of anything, and in a
// storm of refusals they cost more than all else that is done with an answer.

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

extension UnsafeBufferPointer<UInt8> {
    /// Where `words`, which are not empty, begin at or after `start`; nil: nowhere.
    package func firstPosition(of words: String, from start: Int = 0) -> Int? {
        var words = words
        return words.withUTF8 { words in
            guard let base = baseAddress, let wanted = words.baseAddress, let first = words.first else { return nil }
            var place = start
            while count - place >= words.count {
                guard let found = memchr(base + place, Int32(first), count - place - words.count + 1) else {
                    return nil
                }
                if memcmp(found, wanted, words.count) == 0 { return UnsafeRawPointer(base).distance(to: found) }
                place = UnsafeRawPointer(base).distance(to: found) + 1
            }
            return nil
        }
    }
}

extension String {
    /// Whether `words` occur in it, byte by byte.
    package func mentions(_ words: String) -> Bool {
        var text = self
        return text.withUTF8 { $0.firstPosition(of: words) != nil }
    }
}

extension [UInt8] {
    /// Whether `words` occur in it.
    package func mentions(_ words: String) -> Bool {
        withUnsafeBufferPointer { $0.firstPosition(of: words) != nil }
    }
}
