"""Truth: what data sets say about a pair beside plain masks, as classes, damage or polygons."""
