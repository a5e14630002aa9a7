// placeholders until Signals lands
import CMachine
import Terms
enum TimeoutResult { case invalid, expired, waiting }
func receivePeek(_ p: Ref<Process>) -> Term? { nil }
func receiveNext(_ p: Ref<Process>) {}
func receiveRemove(_ p: Ref<Process>) {}
func receiveWait(_ p: Ref<Process>) -> Bool { false }
func receiveHibernate(_ p: Ref<Process>) -> Bool { false }
func receiveSetTimeout(_ p: Ref<Process>, _ t: Term) -> TimeoutResult { .waiting }
func receiveTimedOut(_ p: Ref<Process>) {}
func receiveMarkerReserve(_ p: Ref<Process>) -> Term { .nil }
func receiveMarkerBind(_ p: Ref<Process>, _ a: Term, _ b: Term) {}
func receiveMarkerUse(_ p: Ref<Process>, _ a: Term) {}
func receiveMarkerClear(_ p: Ref<Process>, _ a: Term) {}
func errorHandler(_ p: Ref<Process>) -> Term { Atoms.error_handler }
func forEachRoot(of p: Ref<Process>, _ body: (Ref<Term>) -> Void) {}
extension UnsafeMutablePointer where Pointee == Process {
    var isExiting: Bool { false }
    func trapArgument(_ i: Int) -> Term { .nil }
    func takeParkRequest() -> Bool { false }
    func allowOversize(_ total: Int) -> Bool { true }
}
