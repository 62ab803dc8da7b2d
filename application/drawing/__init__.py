"""Pictures of program graphs: as SVG, and as text for Mermaid."""
