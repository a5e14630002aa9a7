import Testing
import BeamFile
