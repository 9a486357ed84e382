// Which measurements the statements of a request touch, as far as it must be known to keep them away from a node that
// holds one of them otherwise than the others. Where it cannot be told, everything of the database is touched.

import InfluxQL

package struct ReadFootprint: Equatable, Sendable {
    private struct Place: Hashable, Sendable {
        /// nil: any.
        var database: String?
        var measurement: String?
    }

    private var places: Set<Place> = []

    /// - Parameter database: the `db` parameter of the request.
    package init(_ statements: [Statement], database: String) {
        for statement in statements {
            let own = statement.database.map { Place(database: $0.literal) } ?? Place(database: database)
            for source in statement.sources {
                var place = own
                if let name = source.database { place.database = name.literal }
                if case .name(.literal(let name)) = source.measurement { place.measurement = name }
                places.insert(place)
            }
            if statement.sources.isEmpty { places.insert(own) }
        }
    }

    package func touches(database: String, measurement: String) -> Bool {
        places.contains { place in
            (place.database ?? database) == database && (place.measurement ?? measurement) == measurement
        }
    }
}
