// What a bucket is: a database and a retention policy, `database/retention-policy`.

package struct BucketName: Equatable, Sendable {
    package let database: String
    /// Empty: the default one.
    package let retentionPolicy: String

    package init(database: String, retentionPolicy: String) {
        self.database = database
        self.retentionPolicy = retentionPolicy
    }

    /// Reference 5.4: the policy may be missing or empty.
    /// - Throws: 404, in InfluxDB's words.
    package init(_ bucket: String) throws(WriteTarget.Problem) {
        guard !bucket.isEmpty else {
            throw WriteTarget.Problem(
                status: 404, message: "bucket name \"\" is missing a slash; not in \"database/retention-policy\" format"
            )
        }
        if let slash = bucket.firstIndex(of: "/") {
            database = String(bucket[..<slash])
            retentionPolicy = String(bucket[bucket.index(after: slash)...])
        } else {
            database = bucket
            retentionPolicy = ""
        }
        if database.isEmpty {
            throw WriteTarget.Problem(
                status: 404, message: "bucket name \"\(bucket)\" is in db/rp form but has an empty database"
            )
        }
    }

    package var text: String { database + "/" + retentionPolicy }
}
