import Machine
import Terms
AtomTable.boot()
print(AtomTable.atomCount)
