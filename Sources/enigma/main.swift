import Machine
import Terms
AtomTable.boot()
Nodes.boot()
print(AtomTable.atomCount)
