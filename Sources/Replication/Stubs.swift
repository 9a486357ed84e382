import Cluster
extension ClusterControl {
 struct Comparison { var serving: Set<NodeIndex>; var words: [NodeIndex: String] }
 func compare(_ n: [NodeIndex], then: @escaping (Comparison) -> Void) { then(Comparison(serving: [n[0]], words: [:])) }
}
