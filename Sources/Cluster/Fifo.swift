// A queue over one array: the pure targets have no dependencies, and `Array.removeFirst` is linear.

/// First in, first out, with constant-time access by position; positions count from the current head.
package struct Fifo<Element> {
    private var storage: [Element?] = []
    private var head = 0

    package init() {}

    package var count: Int { storage.count - head }
    package var isEmpty: Bool { head == storage.count }
    package var first: Element? { isEmpty ? nil : storage[head] }
    package var last: Element? { isEmpty ? nil : storage[storage.count - 1] }

    package mutating func append(_ element: Element) { storage.append(element) }

    package mutating func popFirst() -> Element? {
        guard head < storage.count else { return nil }
        let element = storage[head]
        storage[head] = nil
        head += 1
        if head == storage.count {
            storage.removeAll(keepingCapacity: storage.count <= 1024)
            head = 0
        } else if head >= 1024 && head * 2 >= storage.count {
            storage.removeFirst(head)
            head = 0
        }
        return element
    }

    package mutating func removeAll() {
        storage = []
        head = 0
    }

    package subscript(position: Int) -> Element {
        get {
            guard let element = storage[head + position] else { preconditionFailure("position \(position) is empty") }
            return element
        }
        set { storage[head + position] = newValue }
    }

    /// The position of the first element for which `belongsBehind` is false, as in a sorted sequence.
    package func partitioningIndex(where belongsBehind: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if belongsBehind(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Fifo: Sendable where Element: Sendable {}
