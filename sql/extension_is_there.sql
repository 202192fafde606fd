-- The extension is installed in the version that the control file names.
SELECT extname, extversion = (SELECT default_version FROM pg_available_extensions
							  WHERE name = 'aevon') AS is_default
FROM pg_extension WHERE extname = 'aevon';
