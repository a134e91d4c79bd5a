% Opens the MAT-files of write.ts with Octave's own `load` and compares every value.
%
%   octave-cli --no-init-file --path tests/octave tests/octave/check.m FOLDER
%
% The last line is `N passed, N failed`. Octave reads version 7.3 as plain HDF5: it has no cells, chars
% are codes, singles become doubles and logicals uint8, and what cells refer to lies in `__refs_`, named
% after the variable. So texts are fetched from there, and classes are compared where Octave keeps them.
1;

function report(name, good)
  global passed failed
  if good
    passed++;
  else
    failed++;
    printf("FAIL %s\n", name);
  end
end

% Text of chars as version 5 gives them, or of the UTF-16 codes of version 7.3.
function text = text_of(value)
  if ischar(value)
    text = value;
  elseif isequal(value(:), uint64([0; 0]))
    text = "";
  else
    text = native2unicode(typecast(uint16(value(:)'), "uint8"), "UTF-16LE");
  end
end

% The strings of a variable: a cell in version 5, members of `__refs_` in version 7.3.
function texts = texts_of(file, name)
  if isfield(file, name)
    texts = cellfun(@text_of, file.(name), "UniformOutput", false);
    return;
  end
  texts = cell(0, 1);
  while isfield(file.__refs_, sprintf("%s_%d", name, numel(texts) + 1))
    texts{end + 1, 1} = text_of(file.__refs_.(sprintf("%s_%d", name, numel(texts) + 1)));
  end
end

function check_numbers(file, name, expected, seven)
  report([name " is there"], isfield(file, name));
  if !isfield(file, name)
    return;
  end
  found = file.(name);
  if seven && isa(expected, "single")
    found = single(found);
  elseif seven && islogical(expected)
    found = logical(found);
  end
  report([name " class"], strcmp(class(found), class(expected)));
  report([name " size"], isequal(size(found), size(expected)));
  report([name " values"], isequaln(found, expected));
end

function check_file(path, seven, physical)
  warning("off", "all");
  file = load(path);
  counts = 3000;
  numbers = 1000 * (0:2)' + (0:counts - 1);
  if physical
    check_numbers(file, "signals", single(0.25 * numbers + 1), seven);
  else
    check_numbers(file, "signals", int16(numbers), seven);
    check_numbers(file, "gain", [0.25; 0.25; 0.25], seven);
    check_numbers(file, "offset", [1; 1; 1], seven);
  end
  check_numbers(file, "time", (0:counts - 1)' / 1000, seven);
  check_numbers(file, "events_marks_time", [0.5; 1.25], seven);
  check_numbers(file, "events_marks_waveform", int16([1 2 3; 4 5 6]), seven);
  check_numbers(file, "events_none_time", zeros(0, 1), seven);
  check_numbers(file, "events_none_waveform", zeros(0, 3, "int16"), seven);
  top = intmax("uint64");
  arrays = {int8([-128 127 0; 1 2 3]), uint8([255 0 1; 2 3 4]), int16([-32768 32767 0; 1 2 3]), ...
            uint16([65535 0 1; 2 3 4]), [intmin("int32") intmax("int32") 0; 1 2 3], ...
            uint32([4294967295 0 1; 2 3 4]), [intmin("int64") intmax("int64") 0; 1 2 3], ...
            [top, top - uint64(1), 0; 1 2 3], single([0.5 -Inf NaN; 1 2 3]), ...
            [0.1 Inf NaN; 1 2 3], logical([1 0 1; 0 0 1])};
  names = {"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", ...
           "float64", "bool"};
  for k = 1:numel(names)
    check_numbers(file, ["all_" names{k}], arrays{k}, seven);
  end
  check_numbers(file, "all_cube", uint16(permute(reshape(0:23, [4 3 2]), [3 2 1])), seven);

  report("channel names", isequal(texts_of(file, "channel"), {"left"; "µ right"; "x"}));
  report("labels", isequal(texts_of(file, "events_marks_label"), {"on"; "µ off"}));
  report("no labels", isequal(size(texts_of(file, "events_none_label")), [0 1]));
  report("texts of all widths", ...
         isequal(texts_of(file, "all_text"), {"plain"; "µV für Ratte"; "日本"; "🧠 brain"; ""}));

  about = file.metadata;
  report("rate", str2double(text_of(about.sampling_frequency)) == 1000);
  report("units", isequal(jsondecode(text_of(about.channel_units)), {"uV"; "uV"; "uV"}));
  report("names in the metadata", ...
         isequal(jsondecode(text_of(about.channel_names)), {"left"; "µ right"; "x"}));
  report("species", strcmp(text_of(about.species), "Rattus norvegicus"));
  report("notes", strcmp(text_of(about.notes), "µV für Ratte"));
end

global passed failed
passed = failed = 0;
folder = argv(){end};
for version = {"5", "7.3"}
  for values = {"physical", "raw"}
    name = sprintf("v%s-%s.mat", version{1}, values{1});
    before = failed;
    try
      check_file(fullfile(folder, name), strcmp(version{1}, "7.3"), strcmp(values{1}, "physical"));
    catch error
      report([name ": " error.message], false);
    end
    if failed == before
      printf("ok   %s\n", name);
    else
      printf("FAIL %s, see above\n", name);
    end
  end
end
printf("Octave %s\n%d passed, %d failed\n", OCTAVE_VERSION, passed, failed);
exit(failed > 0);
