<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22.0" styleCategories="Symbology|Fields|Forms">
  <renderer-v2 type="graduatedSymbol" attr="coalesce(attribute('confidence'), &quot;confidence_mean&quot;)" graduatedMethod="GraduatedColor" symbollevels="0" enableorderby="0" forceraster="0">
    <ranges>
      <range lower="0.000000000000000" upper="0.600000000000000" label="below 60 %" symbol="0" render="true" />
      <range lower="0.600000000000000" upper="0.700000000000000" label="60 to 70 %" symbol="1" render="true" />
      <range lower="0.700000000000000" upper="0.800000000000000" label="70 to 80 %" symbol="2" render="true" />
      <range lower="0.800000000000000" upper="0.900000000000000" label="80 to 90 %" symbol="3" render="true" />
      <range lower="0.900000000000000" upper="1.000000000000000" label="90 to 100 %" symbol="4" render="true" />
    </ranges>
    <symbols>
      <symbol name="0" type="fill" alpha="1" clip_to_extent="1">
        <layer class="SimpleFill" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="color" type="QString" value="255,237,160,100" />
            <Option name="style" type="QString" value="solid" />
            <Option name="outline_style" type="QString" value="no" />
          </Option>
          <prop k="color" v="255,237,160,100" />
          <prop k="style" v="solid" />
          <prop k="outline_style" v="no" />
        </layer>
        <layer class="SimpleLine" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="line_color" type="QString" value="40,20,10,200" />
            <Option name="line_style" type="QString" value="solid" />
            <Option name="line_width" type="QString" value="1.1" />
            <Option name="line_width_unit" type="QString" value="MM" />
            <Option name="joinstyle" type="QString" value="round" />
            <Option name="capstyle" type="QString" value="round" />
          </Option>
          <prop k="line_color" v="40,20,10,200" />
          <prop k="line_style" v="solid" />
          <prop k="line_width" v="1.1" />
          <prop k="line_width_unit" v="MM" />
          <prop k="joinstyle" v="round" />
          <prop k="capstyle" v="round" />
        </layer>
        <layer class="SimpleLine" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="line_color" type="QString" value="255,237,160,255" />
            <Option name="line_style" type="QString" value="solid" />
            <Option name="line_width" type="QString" value="0.5" />
            <Option name="line_width_unit" type="QString" value="MM" />
            <Option name="joinstyle" type="QString" value="round" />
            <Option name="capstyle" type="QString" value="round" />
          </Option>
          <prop k="line_color" v="255,237,160,255" />
          <prop k="line_style" v="solid" />
          <prop k="line_width" v="0.5" />
          <prop k="line_width_unit" v="MM" />
          <prop k="joinstyle" v="round" />
          <prop k="capstyle" v="round" />
        </layer>
      </symbol>
      <symbol name="1" type="fill" alpha="1" clip_to_extent="1">
        <layer class="SimpleFill" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="color" type="QString" value="254,178,76,100" />
            <Option name="style" type="QString" value="solid" />
            <Option name="outline_style" type="QString" value="no" />
          </Option>
          <prop k="color" v="254,178,76,100" />
          <prop k="style" v="solid" />
          <prop k="outline_style" v="no" />
        </layer>
        <layer class="SimpleLine" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="line_color" type="QString" value="40,20,10,200" />
            <Option name="line_style" type="QString" value="solid" />
            <Option name="line_width" type="QString" value="1.1" />
            <Option name="line_width_unit" type="QString" value="MM" />
            <Option name="joinstyle" type="QString" value="round" />
            <Option name="capstyle" type="QString" value="round" />
          </Option>
          <prop k="line_color" v="40,20,10,200" />
          <prop k="line_style" v="solid" />
          <prop k="line_width" v="1.1" />
          <prop k="line_width_unit" v="MM" />
          <prop k="joinstyle" v="round" />
          <prop k="capstyle" v="round" />
        </layer>
        <layer class="SimpleLine" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="line_color" type="QString" value="254,178,76,255" />
            <Option name="line_style" type="QString" value="solid" />
            <Option name="line_width" type="QString" value="0.5" />
            <Option name="line_width_unit" type="QString" value="MM" />
            <Option name="joinstyle" type="QString" value="round" />
            <Option name="capstyle" type="QString" value="round" />
          </Option>
          <prop k="line_color" v="254,178,76,255" />
          <prop k="line_style" v="solid" />
          <prop k="line_width" v="0.5" />
          <prop k="line_width_unit" v="MM" />
          <prop k="joinstyle" v="round" />
          <prop k="capstyle" v="round" />
        </layer>
      </symbol>
      <symbol name="2" type="fill" alpha="1" clip_to_extent="1">
        <layer class="SimpleFill" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="color" type="QString" value="252,78,42,100" />
            <Option name="style" type="QString" value="solid" />
            <Option name="outline_style" type="QString" value="no" />
          </Option>
          <prop k="color" v="252,78,42,100" />
          <prop k="style" v="solid" />
          <prop k="outline_style" v="no" />
        </layer>
        <layer class="SimpleLine" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="line_color" type="QString" value="255,255,255,200" />
            <Option name="line_style" type="QString" value="solid" />
            <Option name="line_width" type="QString" value="1.1" />
            <Option name="line_width_unit" type="QString" value="MM" />
            <Option name="joinstyle" type="QString" value="round" />
            <Option name="capstyle" type="QString" value="round" />
          </Option>
          <prop k="line_color" v="255,255,255,200" />
          <prop k="line_style" v="solid" />
          <prop k="line_width" v="1.1" />
          <prop k="line_width_unit" v="MM" />
          <prop k="joinstyle" v="round" />
          <prop k="capstyle" v="round" />
        </layer>
        <layer class="SimpleLine" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="line_color" type="QString" value="252,78,42,255" />
            <Option name="line_style" type="QString" value="solid" />
            <Option name="line_width" type="QString" value="0.5" />
            <Option name="line_width_unit" type="QString" value="MM" />
            <Option name="joinstyle" type="QString" value="round" />
            <Option name="capstyle" type="QString" value="round" />
          </Option>
          <prop k="line_color" v="252,78,42,255" />
          <prop k="line_style" v="solid" />
          <prop k="line_width" v="0.5" />
          <prop k="line_width_unit" v="MM" />
          <prop k="joinstyle" v="round" />
          <prop k="capstyle" v="round" />
        </layer>
      </symbol>
      <symbol name="3" type="fill" alpha="1" clip_to_extent="1">
        <layer class="SimpleFill" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="color" type="QString" value="189,0,38,100" />
            <Option name="style" type="QString" value="solid" />
            <Option name="outline_style" type="QString" value="no" />
          </Option>
          <prop k="color" v="189,0,38,100" />
          <prop k="style" v="solid" />
          <prop k="outline_style" v="no" />
        </layer>
        <layer class="SimpleLine" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="line_color" type="QString" value="255,255,255,200" />
            <Option name="line_style" type="QString" value="solid" />
            <Option name="line_width" type="QString" value="1.1" />
            <Option name="line_width_unit" type="QString" value="MM" />
            <Option name="joinstyle" type="QString" value="round" />
            <Option name="capstyle" type="QString" value="round" />
          </Option>
          <prop k="line_color" v="255,255,255,200" />
          <prop k="line_style" v="solid" />
          <prop k="line_width" v="1.1" />
          <prop k="line_width_unit" v="MM" />
          <prop k="joinstyle" v="round" />
          <prop k="capstyle" v="round" />
        </layer>
        <layer class="SimpleLine" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="line_color" type="QString" value="189,0,38,255" />
            <Option name="line_style" type="QString" value="solid" />
            <Option name="line_width" type="QString" value="0.5" />
            <Option name="line_width_unit" type="QString" value="MM" />
            <Option name="joinstyle" type="QString" value="round" />
            <Option name="capstyle" type="QString" value="round" />
          </Option>
          <prop k="line_color" v="189,0,38,255" />
          <prop k="line_style" v="solid" />
          <prop k="line_width" v="0.5" />
          <prop k="line_width_unit" v="MM" />
          <prop k="joinstyle" v="round" />
          <prop k="capstyle" v="round" />
        </layer>
      </symbol>
      <symbol name="4" type="fill" alpha="1" clip_to_extent="1">
        <layer class="SimpleFill" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="color" type="QString" value="128,0,38,100" />
            <Option name="style" type="QString" value="solid" />
            <Option name="outline_style" type="QString" value="no" />
          </Option>
          <prop k="color" v="128,0,38,100" />
          <prop k="style" v="solid" />
          <prop k="outline_style" v="no" />
        </layer>
        <layer class="SimpleLine" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="line_color" type="QString" value="255,255,255,200" />
            <Option name="line_style" type="QString" value="solid" />
            <Option name="line_width" type="QString" value="1.1" />
            <Option name="line_width_unit" type="QString" value="MM" />
            <Option name="joinstyle" type="QString" value="round" />
            <Option name="capstyle" type="QString" value="round" />
          </Option>
          <prop k="line_color" v="255,255,255,200" />
          <prop k="line_style" v="solid" />
          <prop k="line_width" v="1.1" />
          <prop k="line_width_unit" v="MM" />
          <prop k="joinstyle" v="round" />
          <prop k="capstyle" v="round" />
        </layer>
        <layer class="SimpleLine" enabled="1" locked="0" pass="0">
          <Option type="Map">
            <Option name="line_color" type="QString" value="128,0,38,255" />
            <Option name="line_style" type="QString" value="solid" />
            <Option name="line_width" type="QString" value="0.5" />
            <Option name="line_width_unit" type="QString" value="MM" />
            <Option name="joinstyle" type="QString" value="round" />
            <Option name="capstyle" type="QString" value="round" />
          </Option>
          <prop k="line_color" v="128,0,38,255" />
          <prop k="line_style" v="solid" />
          <prop k="line_width" v="0.5" />
          <prop k="line_width_unit" v="MM" />
          <prop k="joinstyle" v="round" />
          <prop k="capstyle" v="round" />
        </layer>
      </symbol>
    </symbols>
    <colorramp type="gradient" name="[source]">
      <Option type="Map">
        <Option name="color1" type="QString" value="255,237,160,255" />
        <Option name="color2" type="QString" value="128,0,38,255" />
        <Option name="stops" type="QString" value="0.25;254,178,76,255:0.5;252,78,42,255:0.75;189,0,38,255" />
        <Option name="discrete" type="QString" value="0" />
        <Option name="rampType" type="QString" value="gradient" />
      </Option>
      <prop k="color1" v="255,237,160,255" />
      <prop k="color2" v="128,0,38,255" />
      <prop k="stops" v="0.25;254,178,76,255:0.5;252,78,42,255:0.75;189,0,38,255" />
      <prop k="discrete" v="0" />
      <prop k="rampType" v="gradient" />
    </colorramp>
    <classificationMethod id="Custom" />
  </renderer-v2>
  <fieldConfiguration>
    <field name="id" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="area_m2" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="perimeter_m" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="confidence_mean" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="confidence_max" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="confidence" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="touches_edge" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="before_class" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="after_class" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="change" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="before_score" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="after_score" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="before_place" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="after_place" configurationFlags="None">
      <editWidget type="" />
    </field>
    <field name="status" configurationFlags="None">
      <editWidget type="ValueMap">
        <config>
          <Option type="Map">
            <Option name="map" type="List">
              <Option type="Map">
                <Option name="unset" type="QString" value="unset" />
              </Option>
              <Option type="Map">
                <Option name="accept" type="QString" value="accept" />
              </Option>
              <Option type="Map">
                <Option name="reject" type="QString" value="reject" />
              </Option>
            </Option>
          </Option>
        </config>
      </editWidget>
    </field>
  </fieldConfiguration>
  <aliases>
    <alias field="id" index="1" name="Number" />
    <alias field="area_m2" index="2" name="Area (m²)" />
    <alias field="perimeter_m" index="3" name="Perimeter (m)" />
    <alias field="confidence_mean" index="4" name="Confidence, mean" />
    <alias field="confidence_max" index="5" name="Confidence, highest" />
    <alias field="confidence" index="6" name="Confidence" />
    <alias field="touches_edge" index="7" name="Touches edge" />
    <alias field="before_class" index="8" name="Class before" />
    <alias field="after_class" index="9" name="Class after" />
    <alias field="change" index="10" name="Change" />
    <alias field="before_score" index="11" name="Score before" />
    <alias field="after_score" index="12" name="Score after" />
    <alias field="before_place" index="13" name="Place before" />
    <alias field="after_place" index="14" name="Place after" />
    <alias field="status" index="15" name="Review" />
  </aliases>
  <defaults>
    <default field="id" expression="" applyOnUpdate="0" />
    <default field="area_m2" expression="" applyOnUpdate="0" />
    <default field="perimeter_m" expression="" applyOnUpdate="0" />
    <default field="confidence_mean" expression="" applyOnUpdate="0" />
    <default field="confidence_max" expression="" applyOnUpdate="0" />
    <default field="confidence" expression="" applyOnUpdate="0" />
    <default field="touches_edge" expression="" applyOnUpdate="0" />
    <default field="before_class" expression="" applyOnUpdate="0" />
    <default field="after_class" expression="" applyOnUpdate="0" />
    <default field="change" expression="" applyOnUpdate="0" />
    <default field="before_score" expression="" applyOnUpdate="0" />
    <default field="after_score" expression="" applyOnUpdate="0" />
    <default field="before_place" expression="" applyOnUpdate="0" />
    <default field="after_place" expression="" applyOnUpdate="0" />
    <default field="status" expression="'unset'" applyOnUpdate="0" />
  </defaults>
  <editable>
    <field name="id" editable="0" />
    <field name="area_m2" editable="0" />
    <field name="perimeter_m" editable="0" />
    <field name="confidence_mean" editable="0" />
    <field name="confidence_max" editable="0" />
    <field name="confidence" editable="0" />
    <field name="touches_edge" editable="0" />
    <field name="before_class" editable="0" />
    <field name="after_class" editable="0" />
    <field name="change" editable="0" />
    <field name="before_score" editable="0" />
    <field name="after_score" editable="0" />
    <field name="before_place" editable="0" />
    <field name="after_place" editable="0" />
    <field name="status" editable="1" />
  </editable>
  <blendMode>0</blendMode>
  <featureBlendMode>0</featureBlendMode>
  <layerGeometryType>2</layerGeometryType>
</qgis>