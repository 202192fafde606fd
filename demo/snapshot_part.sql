-- Write down the days that part :part changed.
INSERT INTO snapshotted SELECT :part, aevon.clock(), aevon_snapshot();
