import Machine
import Terms
AtomTable.boot()
Nodes.boot()
Literals.boot()
print(AtomTable.atomCount)
