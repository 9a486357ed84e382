// A batch of points as a client sent it: where it goes, who sent it, and line protocol, byte for byte.

/// A read view of a points record: strings for the small head, a range for the payload, which is not copied.
///
/// Body: version (1), precision (1), line count (4), database, retention policy, user (each: length (4), UTF-8),
/// payload to the end.
package struct PointsRecord: Equatable, Sendable {
    package var head: Head
    /// The line protocol text, ending in `\n`, as a range within the body.
    package var payload: Range<Int>

    /// Everything but the payload.
    package struct Head: Equatable, Sendable {
        package var database: String
        /// Empty: the database's default policy.
        package var retentionPolicy: String
        /// The raw value of the line protocol's precision. The log does not interpret it.
        package var precision: UInt8
        /// Empty: nobody was authenticated.
        package var user: String
        package var lineCount: UInt32

        package init(
            database: String, retentionPolicy: String = "", precision: UInt8, user: String = "", lineCount: UInt32
        ) {
            self.database = database
            self.retentionPolicy = retentionPolicy
            self.precision = precision
            self.user = user
            self.lineCount = lineCount
        }

        /// Bytes before the payload. A record's body is this plus the payload.
        package var encodedSize: Int {
            1 + 1 + 4 + FieldWriter.size(of: database) + FieldWriter.size(of: retentionPolicy)
                + FieldWriter.size(of: user)
        }

        /// Fills the first ``encodedSize`` bytes of a body's buffer and returns the rest of it, which the caller
        /// fills with the payload.
        @discardableResult
        package func encode(into body: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawBufferPointer {
            let size = encodedSize
            var writer = FieldWriter(UnsafeMutableRawBufferPointer(rebasing: body[..<size]))
            writer.integer(UInt8(1))
            writer.integer(precision)
            writer.integer(lineCount)
            writer.text(database)
            writer.text(retentionPolicy)
            writer.text(user)
            writer.end()
            return UnsafeMutableRawBufferPointer(rebasing: body[size...])
        }
    }

    package init(decoding body: UnsafeRawBufferPointer) throws(RecordFormatError) {
        var reader = FieldReader(body, kind: .points)
        _ = try reader.version(upTo: 1)
        let precision = try reader.integer(UInt8.self)
        let lineCount = try reader.integer(UInt32.self)
        let database = try reader.text()
        let retentionPolicy = try reader.text()
        let user = try reader.text()
        head = Head(
            database: database, retentionPolicy: retentionPolicy, precision: precision, user: user,
            lineCount: lineCount)
        payload = reader.rest()
    }
}

extension LogAppender {
    /// Appends a points record; `writePayload` fills exactly `payloadBytes` bytes in the staging buffer.
    package func append(
        points head: PointsRecord.Head, payloadBytes: Int, replicaSet: UInt16, endsEntry: Bool = true,
        isLast: Bool = true, writePayload: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(LogError) {
        try append(
            kind: .points, replicaSet: replicaSet, bodyBytes: head.encodedSize + payloadBytes, endsEntry: endsEntry,
            isLast: isLast
        ) { body in
            writePayload(head.encode(into: body))
        }
    }
}
