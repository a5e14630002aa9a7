public enum BeamFile {}
