import Bifs
import Machine
import Ports
import Tables

bootMachine(bifsTable + tablesTable + portsTable)
